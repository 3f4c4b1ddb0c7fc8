"""Figures: each as PNG and PDF, and beside them the CSV of the very values drawn."""
