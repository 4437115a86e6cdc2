"""PURE. What Twilio's wire looks like."""
