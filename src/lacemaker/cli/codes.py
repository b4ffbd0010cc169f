"""Exit codes of the command ``lace``."""

OK = 0
UNEXPECTED = 1  # a bug
USER_ERROR = 2  # something for the user to correct
PARTIAL = 3  # the potential was saved, a later table or report failed
UNSOUND = 4  # lace validate: the potential failed a check
INTERRUPTED = 130  # Ctrl-C
TERMINATED = 143  # SIGTERM, from a queueing system
