"""Coverage-guided fuzzing with atheris (pip install atheris). Not part of the test suite."""
