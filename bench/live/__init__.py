"""The live stream under load, side by side with a bare broadcast server."""
