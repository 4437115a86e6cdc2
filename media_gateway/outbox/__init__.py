"""Messages to the calls' workflows that outlive the gateway's process: on disk until Temporal has them, in order per call."""
