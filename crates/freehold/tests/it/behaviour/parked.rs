//! A message that cannot be handled sets its key aside; every other key flows.
