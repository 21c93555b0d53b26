//! * `judged`: each claim, algorithm and key that is missing or wrong; rotation of a file.
//! * `fetched`: one request for keys: redirects, bounds, certificates.
//! * `asked`: keys of a URL over time: how often they are asked for, and which ones count.
//! * `known`: whom the file of principals knows by a JWT, and what the log says.
//! * `provider`: a server with keys; `signer`, `rsa`: keys that sign, and their JWK Sets.

mod asked;
mod fetched;
mod judged;
mod known;
mod provider;
mod rsa;
mod signer;
