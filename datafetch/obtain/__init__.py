"""Get: each kind of source brought to the state folder, verified, or straight to the staging folder."""
