//! A batch of labels on its way into one epoch's tree: what `src/seenby/stores/label_batch.py` does. The layout of a
//! page is in the docstring of `label_pages.py` there. Each page that the batch touches is read, changed and written
//! once.

use crc32fast::Hasher;
use pyo3::create_exception;
use pyo3::exceptions::{PyException, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};
use sha2::{Digest, Sha256};

create_exception!(seenby_native, Damaged, PyException, "A page is missing, or is not what was written.");
create_exception!(seenby_native, Twice, PyException, "A label stands in an epoch twice.");

/// Labels of a bucket, as `FEW` there: part of the layout.
const FEW: usize = 3;
const CHILD: u8 = 255;
const RECORD: usize = 40;
const LABEL_BITS: usize = 256;
/// Pages kept in memory before they are handed over.
const FLUSH: usize = 512;

type Hash = [u8; 32];
/// `label[32] | index u64`
type Record = [u8; RECORD];

const EMPTY: Hash = [0; 32];

fn stride_at(depth: usize) -> usize {
    if depth < 16 { 8 } else { 4 }
}

fn slot_of(depth: usize, record: &Record) -> usize {
    let byte = record[depth >> 3] as usize;
    if depth < 16 {
        byte
    } else if depth & 4 != 0 {
        byte & 15
    } else {
        byte >> 4
    }
}

fn bit_of(bit: usize, record: &Record) -> bool {
    record[bit >> 3] & (128 >> (bit & 7)) != 0
}

fn leaf_hash(record: &Record) -> Hash {
    Sha256::new().chain_update([2]).chain_update(&record[..32]).finalize().into()
}

fn node_hash(bit: usize, left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([3, bit as u8]).chain_update(left).chain_update(right).finalize().into()
}

/// Of a node of the trie at this bit: one without labels on one side has the other side's hash.
fn join(bit: usize, left: &Hash, right: &Hash) -> Hash {
    if *left == EMPTY {
        *right
    } else if *right == EMPTY {
        *left
    } else {
        node_hash(bit, left, right)
    }
}

/// Over sorted records, whatever bit they split at.
fn bucket_hash(records: &[Record]) -> PyResult<Hash> {
    match records {
        [] => Ok(EMPTY),
        [one] => Ok(leaf_hash(one)),
        [first, .., last] => {
            let Some(bit) = (0..LABEL_BITS).find(|&bit| bit_of(bit, first) != bit_of(bit, last)) else {
                return Err(Twice::new_err("a label stands in an epoch twice"));
            };
            let (left, right) = records.split_at(records.partition_point(|record| !bit_of(bit, record)));
            Ok(node_hash(bit, &bucket_hash(left)?, &bucket_hash(right)?))
        }
    }
}

/// A page with room for all hashes; they are written as far as they are in use.
struct Page {
    stride: usize,
    levels: Vec<u8>,
    counts: Vec<u8>,
    /// Of node n; 0 and 1 are not used.
    hashes: Vec<Hash>,
    records: Vec<Record>,
}

impl Page {
    fn new(stride: usize) -> Page {
        let width = 1 << stride;
        Page {
            stride,
            levels: vec![0; width],
            counts: vec![0; width],
            hashes: vec![EMPTY; 2 * width],
            records: Vec::new(),
        }
    }

    /// None if the bytes are no page of this depth. Its sum was checked.
    fn parse(depth: usize, data: &[u8]) -> Option<Page> {
        let stride = stride_at(depth);
        let width = 1 << stride;
        let mut page = Page::new(stride);
        if data.len() < 2 * width {
            return None;
        }
        page.levels.copy_from_slice(&data[..width]);
        page.counts.copy_from_slice(&data[width..2 * width]);
        // Below the last bit of a label is nothing.
        let too_deep = depth + stride >= LABEL_BITS && page.levels.contains(&CHILD);
        if too_deep || !page.slots_fit() {
            return None;
        }
        let hashes = 64 * (1 << page.deepest()) - 64;
        let records = RECORD * page.counts.iter().map(|&count| count as usize).sum::<usize>();
        if data.len() != 2 * width + hashes + records {
            return None;
        }
        let (hashes, records) = data[2 * width..].split_at(hashes);
        for (to, from) in page.hashes[2..].iter_mut().zip(hashes.as_chunks().0) {
            *to = *from;
        }
        page.records.extend_from_slice(records.as_chunks().0);
        Some(page)
    }

    /// Whether the slots are parted into aligned buckets of at most FEW records, and pages of their own.
    fn slots_fit(&self) -> bool {
        let (levels, counts, mut at) = (&self.levels, &self.counts, 0);
        while at < levels.len() {
            let (level, few) = if levels[at] == CHILD { (self.stride, 0) } else { (levels[at] as usize, FEW) };
            if level > self.stride {
                return false;
            }
            let end = at + (1 << (self.stride - level));
            let aligned = at % (end - at) == 0 && levels[at..end].iter().all(|&level| level == levels[at]);
            if !aligned || counts[at..end].iter().map(|&count| count as usize).sum::<usize>() > few {
                return false;
            }
            at = end;
        }
        true
    }

    /// The deepest level in use.
    fn deepest(&self) -> usize {
        let deepest = self.levels.iter().copied().max().unwrap_or(0);
        if deepest == CHILD { self.stride } else { deepest as usize }
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.levels);
        out.extend_from_slice(&self.counts);
        out.extend_from_slice(self.hashes[2..2 << self.deepest()].as_flattened());
        out.extend_from_slice(self.records.as_flattened());
    }
}

struct Batch<'py> {
    read: Bound<'py, PyAny>,
    write: Bound<'py, PyAny>,
    epoch: [u8; 4],
    pages: Vec<(Vec<u8>, Vec<u8>)>,
    py: Python<'py>,
}

impl Batch<'_> {
    /// Of the page at `depth` that labels like this one fall into.
    fn key(&self, depth: usize, record: &Record) -> Vec<u8> {
        let mut key = Vec::with_capacity(5 + 32);
        key.extend_from_slice(&self.epoch);
        key.push(depth as u8);
        key.extend_from_slice(&record[..depth >> 3]);
        if depth & 4 != 0 {
            key.push(record[depth >> 3] & 0xF0);
        }
        key
    }

    fn get(&self, key: &[u8], depth: usize) -> PyResult<Page> {
        let value = self.read.call1((PyBytes::new(self.py, key),))?;
        if value.is_none() {
            return Err(Damaged::new_err("a page is missing"));
        }
        // A transaction with ``buffers`` gives a memoryview.
        let value = value.cast_into::<PyBytes>().or_else(|other| {
            let copied = self.py.get_type::<PyBytes>().call1((other.into_inner(),))?;
            copied.cast_into::<PyBytes>().map_err(PyErr::from)
        })?;
        let page = value.as_bytes().split_last_chunk::<4>().and_then(|(page, sum)| {
            let mut hasher = Hasher::new();
            hasher.update(key);
            hasher.update(page);
            (hasher.finalize().to_be_bytes() == *sum).then(|| Page::parse(depth, page))?
        });
        page.ok_or_else(|| Damaged::new_err("a page is not what was written"))
    }

    fn put(&mut self, key: Vec<u8>, page: &Page) -> PyResult<()> {
        let mut value = Vec::with_capacity(1024);
        page.write(&mut value);
        let mut hasher = Hasher::new();
        hasher.update(&key);
        hasher.update(&value);
        value.extend_from_slice(&hasher.finalize().to_be_bytes());
        self.pages.push((key, value));
        if self.pages.len() >= FLUSH { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> PyResult<()> {
        let py = self.py;
        let pages = self.pages.drain(..).map(|(key, value)| (PyBytes::new(py, &key), PyBytes::new(py, &value)));
        self.write.call1((PyList::new(py, pages.collect::<Vec<_>>())?,))?;
        Ok(())
    }

    /// A new page of these records, and those below it; answers its hash.
    fn build(&mut self, depth: usize, records: &[Record]) -> PyResult<Hash> {
        if depth >= LABEL_BITS {
            return Err(Twice::new_err("a label stands in an epoch twice"));
        }
        let mut page = Page::new(stride_at(depth));
        let mut kept = Vec::new();
        let value = self.fill(&mut page, depth, 1, records, &mut kept)?;
        page.records = kept;
        self.put(self.key(depth, &records[0]), &page)?;
        Ok(value)
    }

    /// Makes `records` all that there is under a node of the page; answers its hash.
    ///
    /// Those that stay in the page are added to `kept`.
    fn fill(
        &mut self,
        page: &mut Page,
        depth: usize,
        node: usize,
        records: &[Record],
        kept: &mut Vec<Record>,
    ) -> PyResult<Hash> {
        let (width, level) = (1 << page.stride, node.ilog2() as usize);
        let value = if records.len() <= FEW {
            let slots = 1 << (page.stride - level);
            let first = slots * node - width;
            page.levels[first..first + slots].fill(level as u8);
            page.counts[first..first + slots].fill(0);
            for record in records {
                page.counts[slot_of(depth, record)] += 1;
            }
            kept.extend_from_slice(records);
            bucket_hash(records)?
        } else if level == page.stride {
            page.levels[node - width] = CHILD;
            page.counts[node - width] = 0;
            self.build(depth + page.stride, records)?
        } else {
            let bit = depth + level;
            let (left, right) = records.split_at(records.partition_point(|record| !bit_of(bit, record)));
            let left = self.fill(page, depth, 2 * node, left, kept)?;
            let right = self.fill(page, depth, 2 * node + 1, right, kept)?;
            join(bit, &left, &right)
        };
        page.hashes[node] = value;
        Ok(value)
    }

    /// Adds sorted records to the page at `depth` that all of them belong to; answers its hash.
    fn add(&mut self, depth: usize, records: &[Record]) -> PyResult<Hash> {
        let (key, stride) = (self.key(depth, &records[0]), stride_at(depth));
        let mut page = self.get(&key, depth)?;
        let width = 1 << stride;
        let (before, counts) = (std::mem::take(&mut page.records), page.counts.clone());
        let mut kept = Vec::with_capacity(before.len() + records.len());
        // Of `before`: how many are in `kept`, or below; and up to which slot that is.
        let (mut taken, mut counted) = (0, 0);
        let many = |slots: std::ops::Range<usize>| counts[slots].iter().map(|&count| count as usize).sum::<usize>();
        let mut dirty = vec![false; width];
        let mut value = EMPTY;
        let mut rest = records;
        while let Some(first) = rest.first() {
            let slot = slot_of(depth, first);
            let shift = if page.levels[slot] == CHILD { 0 } else { stride - page.levels[slot] as usize };
            let node = (width + slot) >> shift;
            let (start, end) = (slot >> shift << shift, ((slot >> shift) + 1) << shift);
            let (ours, others) = rest.split_at(rest.partition_point(|record| slot_of(depth, record) < end));
            rest = others;
            if page.levels[slot] == CHILD {
                value = self.add(depth + stride, ours)?;
            } else {
                let (begins, ends) = (taken + many(counted..start), taken + many(counted..end));
                kept.extend_from_slice(&before[taken..begins]);
                let mut bucket = before[begins..ends].to_vec();
                (taken, counted) = (ends, end);
                bucket.extend_from_slice(ours);
                bucket.sort_unstable();
                if bucket.len() > FEW {
                    value = self.fill(&mut page, depth, node, &bucket, &mut kept)?;
                } else {
                    for record in ours {
                        page.counts[slot_of(depth, record)] += 1;
                    }
                    value = bucket_hash(&bucket)?;
                    kept.extend_from_slice(&bucket);
                }
            }
            page.hashes[node] = value;
            dirty[node >> 1] = true;
        }
        kept.extend_from_slice(&before[taken..]);
        page.records = kept;
        for node in (1..width).rev() {
            if dirty[node] {
                value = join(depth + node.ilog2() as usize, &page.hashes[2 * node], &page.hashes[2 * node + 1]);
                page.hashes[node] = value;
                dirty[node >> 1] = true;
            }
        }
        self.put(key, &page)?;
        Ok(value)
    }
}

/// Adds records to an epoch's tree; answers its root with them.
///
/// `read(key)` gives a page, or None; `write([(key, page), ...])` takes some. `records`: 40 bytes each, at least one.
#[pyfunction]
pub fn insert<'py>(
    py: Python<'py>,
    read: Bound<'py, PyAny>,
    write: Bound<'py, PyAny>,
    epoch: u32,
    fresh: bool,
    records: Vec<Bound<'py, PyBytes>>,
) -> PyResult<Bound<'py, PyBytes>> {
    let mut sorted = Vec::with_capacity(records.len());
    for record in records {
        let Ok(record) = Record::try_from(record.as_bytes()) else {
            return Err(PyValueError::new_err("a record has 40 bytes"));
        };
        sorted.push(record);
    }
    if sorted.is_empty() {
        return Err(PyValueError::new_err("no records"));
    }
    sorted.sort_unstable();
    let mut batch = Batch { read, write, epoch: epoch.to_be_bytes(), pages: Vec::new(), py };
    let root = if fresh { batch.build(0, &sorted)? } else { batch.add(0, &sorted)? };
    batch.flush()?;
    Ok(PyBytes::new(py, &root))
}
