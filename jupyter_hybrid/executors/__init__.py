"""Places where jobs run: the contract and what fulfils it."""
