//! What the manifest declares and what the code registers agree, or the service does not start.
