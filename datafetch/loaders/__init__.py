"""What training code makes of a folder: what it takes it for, what it would trip over, and what it would leave out."""
