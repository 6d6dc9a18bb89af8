//! What Seenby's ledger does most, in native code: the label trees of docs/formats/seals.md, the sealed parts and
//! records of docs/formats/records.md, the hashes of a log's tiles.
//!
//! Nothing is here that is not also in Python, byte for byte, in `label_batch`, `naming` and `leaves` of `seenby.stores`
//! and in `seenby_verify.tlog.records`: those are read to see what happens, and used where this is not installed. The
//! tests run both (`tests/unit/stores/test_native.py`).
//!
//! No `unsafe`, no I/O, no randomness: pages come and go through the caller's functions, random bytes are arguments.
//! AES-GCM and SHA-256 are RustCrypto's, which use the processor's instructions where it has them.
#![forbid(unsafe_code)]

mod labels;
mod leaves;
mod sealing;

use pyo3::prelude::*;

#[pymodule]
mod seenby_native {
    /// What the Python side asks for; it changes with any function here.
    #[pymodule_export]
    const INTERFACE: u32 = 2;
    #[pymodule_export]
    use super::labels::{Damaged, Twice, insert};
    #[pymodule_export]
    use super::leaves::{above, leaves};
    #[pymodule_export]
    use super::sealing::{PersonCrypto, RecordSealer, name_people};
}
