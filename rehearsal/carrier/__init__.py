"""A carrier that speaks Twilio: REST, TwiML, Media Streams and signed webhooks, with a caller on the line."""
