//! Why a JWT does not count.

/// Why a JWT does not count, as the log says it. Who shows it is told less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::access) enum JwtRefusal {
    #[error("it is longer than 8 KiB")]
    TooLong,
    #[error("its header or its claims are malformed, or its algorithm is none that counts")]
    Malformed,
    #[error("it needs an extension (crit) that is not known here")]
    Extension,
    #[error("it names no key (kid)")]
    NoKey,
    #[error("its key is not known")]
    UnknownKey,
    #[error("its algorithm is not that of its key")]
    WrongAlgorithm,
    #[error("its signature is not by its key")]
    WrongSignature,
    #[error("its issuer (iss) is another one")]
    WrongIssuer,
    #[error("it is for somebody else (aud)")]
    WrongAudience,
    #[error("it does not say until when it counts (exp)")]
    NoEnd,
    #[error("its time is over (exp)")]
    Over,
    #[error("its time has not begun (nbf)")]
    NotYet,
}
