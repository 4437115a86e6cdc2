"""Local servers that speak the wire protocols of Deepgram, Cartesia and OpenAI."""
