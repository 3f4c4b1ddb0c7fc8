"""Images laid out in the plane, from their distances."""
