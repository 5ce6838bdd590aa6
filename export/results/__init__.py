"""What exports and verifications report."""
