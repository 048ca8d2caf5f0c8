"""What a user says: settings, the environment, and files given on the command line."""
