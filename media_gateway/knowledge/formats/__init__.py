"""How each kind of file becomes sections of plain, speakable text."""
