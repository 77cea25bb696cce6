"""What flatc would generate for schemas/un00.fbs, which the library of the other schemas does not have."""
