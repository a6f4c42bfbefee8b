"""The journal and the parked processes of one lineage, and what they cost."""
