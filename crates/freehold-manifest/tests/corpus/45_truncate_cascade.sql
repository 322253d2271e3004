-- service: order
-- expect: unsafe-migration (ban-truncate-cascade)
truncate orders cascade;
