"""Find a device, connect to it, receive its motion, account for losses, and place it in time."""
