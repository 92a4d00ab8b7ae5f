//! Tells by its first bytes that a file is no CSV in UTF-8, whatever its name says.

use super::Refusal;

/// Enough to know any of them.
pub const LOOKED_AT: usize = 512;

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// First bytes, and whose they are. UTF-32 stands before UTF-16, whose mark its own begins with.
const ENCODINGS: [(&[u8], &str); 4] =
    [(b"\xFF\xFE\0\0", "UTF-32"), (b"\0\0\xFE\xFF", "UTF-32"), (b"\xFF\xFE", "UTF-16"), (b"\xFE\xFF", "UTF-16")];

const KINDS: [(&[u8], &str); 11] = [
    (b"\x1F\x8B", "compressed with gzip"),
    (b"BZh", "compressed with bzip2"),
    (b"\x28\xB5\x2F\xFD", "compressed with zstd"),
    (b"\xFD7zXZ\0", "compressed with xz"),
    // A spreadsheet is one too.
    (b"PK\x03\x04", "a ZIP archive or a spreadsheet"),
    (b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", "a spreadsheet or document of an old Office"),
    (b"\x89PNG\r\n\x1A\n", "a PNG image"),
    (b"\xFF\xD8\xFF", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"%PDF-", "a PDF document"),
    (b"PAR1", "a Parquet file"),
];

/// How many bytes of the beginning are the mark of UTF-8, and no content. `start` is the first [`LOOKED_AT`] bytes of the
/// file, or all of a shorter one.
pub fn check(start: &[u8]) -> Result<usize, Refusal> {
    if let Some((_, encoding)) = ENCODINGS.iter().find(|(magic, _)| start.starts_with(magic)) {
        return Err(Refusal::OtherEncoding(encoding));
    }
    if let Some((_, kind)) = KINDS.iter().find(|(magic, _)| start.starts_with(magic)) {
        return Err(Refusal::OtherKind(kind));
    }
    if start.contains(&0) {
        return Err(Refusal::NotText);
    }
    Ok(if start.starts_with(BOM) { BOM.len() } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_files_are_told_by_their_names() {
        let why = |start: &[u8]| check(start).unwrap_err().to_string();
        assert_eq!(why(b"\x89PNG\r\n\x1A\n\0\0\0"), "the file is a PNG image, not CSV");
        assert_eq!(why(b"\x1F\x8B\x08\0"), "the file is compressed with gzip, not CSV");
        assert_eq!(why(b"\xFF\xFEi\0d\0"), "the file is in UTF-16: save it as UTF-8");
        assert_eq!(why(b"\xFF\xFE\0\0i\0\0\0"), "the file is in UTF-32: save it as UTF-8");
        assert!(why(b"i\0d\0,\0").contains("UTF-16"));
    }

    #[test]
    fn the_mark_of_utf_8_is_no_content() {
        assert_eq!(check(b"\xEF\xBB\xBFid,name"), Ok(3));
        assert_eq!(check("id,näme".as_bytes()), Ok(0));
        assert_eq!(check(b""), Ok(0));
    }
}
