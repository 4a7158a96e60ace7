"""What commands say, as lines and as JSON: a module for each command that has much to say, imported when it runs."""
