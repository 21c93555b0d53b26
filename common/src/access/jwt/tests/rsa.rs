//! An RSA key and what it signed, for ring makes none. The private key was thrown away.

/// The modulus of the key `rsa`.
pub(super) const MODULUS: &str = "\
     snOieK29cJ_pg1e7oYDOyChjj0qBJ2Sh2ENvFkbB1OlbPQDDEXSdwZLKTjsKWHgUybQKOqLK23wNIkT5J7ao\
     TtKkPrACU3h4ysT-0CEu6t7tacqi7z4xGZn6zzUy_BUs7IVp8V9JjQSKSGHGXzbFq2kHvnvi6WJaTycZQN7S\
     i7y3WYmzHRX8p-eXTJGBZKpxrslLEh1ek2daHPpeDwEsnWTGP--aPJHpQa6ONwhG6iBBH3l9mQ87lPfTOHpF\
     mUhhSdfr9X9hkqUASGO-TjqI_jVZxtNveZamC50hZ2uC-oBiHjyscC-tpzMVQcq_PnCo-yLoEqsPYIgq9hy8\
     A6qtBw";

/// A header with RS256, the claims of `anna` until 1796000600, and the signature.
pub(super) const RS256: &str = "\
     eyJhbGciOiJSUzI1NiIsImtpZCI6InJzYSJ9.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJ\
     kZWVwY2xvbmUiLCJzdWIiOiJhbm5hIiwiZXhwIjoxNzk2MDAwNjAwfQ.Jh39BFU50CicQTvnKVf9SLwREYvl\
     QDVF3jK0t-lm30gQDXuK3QCLbXRV2b4xrndHAXXsRRw_NsKDd_2ZaE0C8jK9DtDlvM4_PZc3iVM0vNv_eKY7\
     Ec61fhdJWVuQPX_WFjfxtYGQ7tARSP1yjueWUY283lQwKqBcQArdDqP-xqUBLSk-2QrTcxYI_Dfdlg3MDNVH\
     Qcqoh7w8SASJL7G8rxvigqecTJBz3vBiUcI6iQfQ3B_syxmHZXhkRcvqU1MWnzipTkAy_9dJLlLmQ_RihRaw\
     ORt0Rw62vYcSCXJwbo8Q2xhxPeujMXIIRliA_BfH9x-7MSO8tAA7PjPcbGirtQ";

/// The same by PS256.
pub(super) const PS256: &str = "\
     eyJhbGciOiJQUzI1NiIsImtpZCI6InJzYSJ9.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJ\
     kZWVwY2xvbmUiLCJzdWIiOiJhbm5hIiwiZXhwIjoxNzk2MDAwNjAwfQ.dd4yNYqO1YuoQTaQ6rg5JMteScwb\
     DMNnreyb7seJRiglP8rGMBM1U7_QvP6c99CThY5JtR9KqLENYyhMFllD89PQJiseZ7OvVY-SGUS-1jleGXKi\
     rGhscTHe1c6SjniLT-zt1JVxKtHfg-kTllIq6OyDkN_mhaZf0YCGker4n83wSMrRhIoeth_jG265mt9je-HB\
     -AqaUYR_YSvMuH2dW6FGJZB3YjYjGI8bNxLDX_gqEVJwELkH9U-bar7ZtOBm7JEs1AcUzngzw3t42rBW0NTz\
     X5CrXAkPOy175UymlyfLIArSlqfoLnVXkb1SsGzKvidh0gkSVvB8TPpAb4jlHQ";
