//! The rollup's side: submit, follow, verify; trusts no node.
