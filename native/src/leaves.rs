//! What goes into tiles, as `src/seenby/stores/leaves.py` makes it (RFC 9162, section 2.1.1).

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use sha2::{Digest, Sha256};

/// (leaf hashes, the entries each behind its length), one behind the other.
#[pyfunction]
pub fn leaves<'py>(
    py: Python<'py>,
    entries: Vec<Bound<'py, PyBytes>>,
) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
    let (mut hashes, mut framed) = (Vec::with_capacity(32 * entries.len()), Vec::new());
    for entry in &entries {
        let entry = entry.as_bytes();
        let Ok(length) = u16::try_from(entry.len()) else {
            return Err(PyValueError::new_err("an entry has at most 65,535 bytes"));
        };
        hashes.extend_from_slice(&Sha256::new().chain_update([0]).chain_update(entry).finalize());
        framed.extend_from_slice(&length.to_be_bytes());
        framed.extend_from_slice(entry);
    }
    Ok((PyBytes::new(py, &hashes), PyBytes::new(py, &framed)))
}

/// The nodes so many levels above a row of them.
#[pyfunction]
pub fn above<'py>(py: Python<'py>, hashes: &[u8], levels: u32) -> PyResult<Bound<'py, PyBytes>> {
    let width = 1usize.checked_shl(levels).and_then(|nodes| nodes.checked_mul(32));
    if width.is_none_or(|width| !hashes.len().is_multiple_of(width)) {
        return Err(PyValueError::new_err("these are no whole subtrees"));
    }
    let mut row = hashes.to_vec();
    for _ in 0..levels {
        row = row
            .as_chunks::<64>()
            .0
            .iter()
            .flat_map(|pair| Sha256::new().chain_update([1]).chain_update(pair).finalize())
            .collect();
    }
    Ok(PyBytes::new(py, &row))
}
