"""Commands for who works on the tap; none of them ships in the wheel."""
