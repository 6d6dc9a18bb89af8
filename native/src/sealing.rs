//! Labels, commitments, sealed parts and records, as `seenby_verify.tlog.records` makes them (docs/formats/records.md).

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};
use sha2::{Digest, Sha256};

const VERSION: u8 = 1;
const PERSON_NAMED: u8 = 0x21;
const SEALED: u8 = 1;
const RECORD: u8 = 2;
const BY_REGION: u8 = 1;
const BY_BLOCK: u8 = 2;
const BLOCK_BYTES: usize = 80;
const RECORD_AAD: &[u8] = b"seenby/record/v1\n";
const WITHHELD_AAD: &[u8] = b"seenby/withheld/v1\n";
const PART_AAD: &[u8] = b"seenby/part/v1\n";
const ZERO_NONCE: [u8; 12] = [0; 12];
const PART_RANDOM: usize = 32 + 12;
/// version u8 | kind u8 | epoch u32 | label[32] | commit[32] | sealed_digest[32]
const PERSON_ENTRY: usize = 102;

type HmacSha256 = Hmac<Sha256>;

fn mac(key: &[u8]) -> HmacSha256 {
    HmacSha256::new_from_slice(key).expect("HMAC takes keys of any length")
}

/// `bytes(len(region)) | region | epoch u32`, behind a prefix.
fn place(prefix: &[u8], region: &str, epoch: u32) -> PyResult<Vec<u8>> {
    let Some(length) = u8::try_from(region.len()).ok().filter(|_| region.is_ascii()) else {
        return Err(PyValueError::new_err("a region's name is ASCII, of at most 255 bytes"));
    };
    Ok([prefix, &[length], region.as_bytes(), &epoch.to_be_bytes()].concat())
}

fn cipher(key: &[u8]) -> PyResult<Aes256Gcm> {
    Aes256Gcm::new_from_slice(key).map_err(|_| PyValueError::new_err("a key has 32 bytes"))
}

fn too_long<E>(_: E) -> PyErr {
    PyValueError::new_err("that is too long to be sealed")
}

/// AES-256-GCM: the ciphertext and its tag. At most 2 GiB - 1, as with Python's cipher.
fn encrypt(cipher: &Aes256Gcm, nonce: &[u8; 12], plain: &[u8], aad: &[u8]) -> PyResult<Vec<u8>> {
    i32::try_from(plain.len()).map_err(too_long)?;
    cipher.encrypt(&Nonce::from(*nonce), Payload { msg: plain, aad }).map_err(too_long)
}

/// What one person's key is used for in one region and epoch, with everything computed once that stays the same.
#[pyclass(frozen, module = "seenby_native")]
pub struct PersonCrypto {
    label: HmacSha256,
    cipher: Aes256Gcm,
    version: u8,
    #[pyo3(get)]
    pseudonym: Py<PyBytes>,
}

impl PersonCrypto {
    fn label_of(&self, n: u64) -> [u8; 32] {
        self.label.clone().chain_update(n.to_be_bytes()).finalize().into_bytes().into()
    }
}

#[pymethods]
impl PersonCrypto {
    #[new]
    fn new(py: Python<'_>, person_key: &[u8], version: u8, region: &str, epoch: u32) -> PyResult<PersonCrypto> {
        if person_key.len() != 32 {
            return Err(PyValueError::new_err("a person key has 32 bytes"));
        }
        let mut wrapping = [0; 32];
        Hkdf::<Sha256>::new(None, person_key)
            .expand(b"seenby/person-wrap/v1", &mut wrapping)
            .expect("HKDF gives 32 bytes");
        let pseudonym = mac(person_key).chain_update(b"seenby/pseudonym/v1").finalize().into_bytes();
        Ok(PersonCrypto {
            label: mac(person_key).chain_update(place(b"seenby/label/v1\n", region, epoch)?),
            cipher: cipher(&wrapping)?,
            version,
            pseudonym: PyBytes::new(py, &pseudonym[..16]).unbind(),
        })
    }

    /// Label n of the person.
    fn label<'py>(&self, py: Python<'py>, n: u64) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.label_of(n))
    }
}

/// The person entries of one query, and the journal's records of them one behind the other.
///
/// `numbers`: of each person's label; `query_key`: Q; `random`: 44 fresh bytes for each.
#[pyfunction]
pub fn name_people<'py>(
    py: Python<'py>,
    epoch: u32,
    people: Vec<PyRef<'py, PersonCrypto>>,
    numbers: Vec<u64>,
    parts: Vec<Bound<'py, PyBytes>>,
    query_key: &[u8],
    random: &[u8],
) -> PyResult<(Bound<'py, PyList>, Bound<'py, PyBytes>)> {
    if numbers.len() != people.len() || parts.len() != people.len() || random.len() != PART_RANDOM * people.len() {
        return Err(PyValueError::new_err("a label's number, a part and 44 random bytes are needed for each person"));
    }
    if query_key.len() != 32 {
        return Err(PyValueError::new_err("a query key has 32 bytes"));
    }
    let mut entries = Vec::with_capacity(people.len());
    let mut payload = Vec::new();
    let random = random.as_chunks::<PART_RANDOM>().0;
    for (((person, n), part), random) in people.iter().zip(numbers).zip(&parts).zip(random) {
        let (part, label) = (part.as_bytes(), person.label_of(n));
        let (opening, nonce) = random.split_last_chunk::<12>().expect("44 bytes are more than 12");
        let plain = [query_key, opening, part].concat();
        let sealed = [
            [SEALED, person.version].as_slice(),
            nonce,
            &encrypt(&person.cipher, nonce, &plain, &[PART_AAD, &label].concat())?,
        ]
        .concat();
        let commit = mac(opening).chain_update(part).finalize().into_bytes();
        let mut entry = [0; PERSON_ENTRY];
        entry[0] = VERSION;
        entry[1] = PERSON_NAMED;
        entry[2..6].copy_from_slice(&epoch.to_be_bytes());
        entry[6..38].copy_from_slice(&label);
        entry[38..70].copy_from_slice(&commit);
        entry[70..].copy_from_slice(&Sha256::digest(&sealed));
        let pseudonym = person.pseudonym.as_bytes(py);
        payload.extend_from_slice(&(PERSON_ENTRY as u16).to_be_bytes());
        payload.extend_from_slice(&entry);
        payload.extend_from_slice(&((pseudonym.len() + sealed.len()) as u32).to_be_bytes());
        payload.extend_from_slice(pseudonym);
        payload.extend_from_slice(&sealed);
        entries.push(PyBytes::new(py, &entry));
    }
    Ok((PyList::new(py, entries)?, PyBytes::new(py, &payload)))
}

/// Makes entries of records that are sealed for the region's auditors of one epoch.
#[pyclass(frozen, module = "seenby_native")]
pub struct RecordSealer {
    cipher: Aes256Gcm,
    aad: Vec<u8>,
    head: Vec<u8>,
    epoch: u32,
}

#[pymethods]
impl RecordSealer {
    /// `key`: E where no auditors are configured, otherwise B; `block`: of B, what opens it.
    #[new]
    fn new(key: &[u8], region: &str, epoch: u32, block: &[u8]) -> PyResult<RecordSealer> {
        if !block.is_empty() && block.len() != BLOCK_BYTES {
            return Err(PyValueError::new_err("a sealed block key has 80 bytes"));
        }
        Ok(RecordSealer {
            cipher: cipher(key)?,
            aad: place(b"seenby/epoch-wrap/v1\n", region, epoch)?,
            head: [&[RECORD, if block.is_empty() { BY_REGION } else { BY_BLOCK }], block].concat(),
            epoch,
        })
    }

    /// (the entry, the journal's record of it).
    ///
    /// `tail`: what an entry of this kind has behind its digest; `private`: what stands before the sealed record in
    /// the journal; `record`: up to the hole for the withheld half's commitment; `random`: 140 fresh bytes: Q, S, the
    /// openings of record and withheld half, the nonce of the wrapping.
    #[allow(clippy::too_many_arguments)]
    fn entry<'py>(
        &self,
        py: Python<'py>,
        kind: u8,
        tail: &[u8],
        private: &[u8],
        record: &[u8],
        withheld: &[u8],
        random: &[u8],
    ) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
        let odd = || PyValueError::new_err("140 random bytes are needed");
        let (keys, nonce) = random.split_last_chunk::<12>().ok_or_else(odd)?;
        let ([query_key, withheld_key, opening, other], []) = keys.as_chunks::<32>() else {
            return Err(odd());
        };
        let mut text = record.to_vec();
        for byte in mac(other).chain_update(withheld).finalize().into_bytes() {
            text.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
        text.extend_from_slice(b"\"}");
        let commit = mac(opening).chain_update(&text).finalize().into_bytes();
        let opened = [opening.as_slice(), &text].concat();
        let sealed_record = encrypt(&cipher(query_key)?, &ZERO_NONCE, &opened, RECORD_AAD)?;
        let opened = [other.as_slice(), withheld].concat();
        let sealed = [
            self.head.as_slice(),
            nonce,
            &encrypt(&self.cipher, nonce, &keys[..64], &self.aad)?,
            &(sealed_record.len() as u32).to_be_bytes(),
            &sealed_record,
            &encrypt(&cipher(withheld_key)?, &ZERO_NONCE, &opened, WITHHELD_AAD)?,
        ]
        .concat();
        let digest = Sha256::digest(&sealed);
        let entry = [&[VERSION, kind], &self.epoch.to_be_bytes()[..], &commit, &digest, tail].concat();
        let Ok(length) = u16::try_from(entry.len()) else {
            return Err(PyValueError::new_err("an entry has at most 65,535 bytes"));
        };
        let beside = u32::try_from(private.len() + sealed.len()).map_err(too_long)?;
        let written = [&length.to_be_bytes(), entry.as_slice(), &beside.to_be_bytes(), private, &sealed].concat();
        Ok((PyBytes::new(py, &entry), PyBytes::new(py, &written)))
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";
