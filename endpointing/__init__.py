"""Our own end-of-turn model: prepare, train, evaluate, export, and learn from recorded calls. Never imported by the product."""
