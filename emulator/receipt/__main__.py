"""Prints the JSON schema of receipts: ``python -m emulator.receipt > emulator/receipt/receipt.schema.json``."""

from __future__ import annotations

from emulator.receipt.model import schema_text

print(schema_text(), end="")
