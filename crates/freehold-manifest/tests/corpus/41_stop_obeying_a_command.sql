-- manifest: "product.release_stock" = { from = ["order"] } => # gone
-- expect: command-gone `product.release_stock` is no longer obeyed, but is used by `order` (sends)
select 1;
