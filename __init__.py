"""Meldbalie: coordinated vulnerability disclosure intake."""
