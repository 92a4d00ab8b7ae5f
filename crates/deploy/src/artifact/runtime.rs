//! Whether a binary can start in Lambda's `provided.al2023`: an ELF executable for the right processor that asks for
//! no newer GLIBC than the runtime has. Found out here, because there it is a failed cold start.

use std::fmt;

use claimctl_core::error::{Error, Result};
use object::Endianness;
use object::elf::{self, FileHeader64};
use object::read::elf::{FileHeader, Sym, SymbolTable, VersionTable};

use crate::project::Architecture;

/// GLIBC of Amazon Linux 2023 (Amazon Linux 2023 User Guide, "Comparing AL2 and AL2023": glibc).
pub const GLIBC: Glibc = Glibc(2, 34);

/// How many symbols an error names; the rest is counted.
const NAMED: usize = 6;

/// A version of the GNU C library, ordered by number: 2.4 is older than 2.34.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Glibc(pub u32, pub u32);

impl Glibc {
    /// From a symbol version such as `GLIBC_2.34` or `GLIBC_2.2.5`, whose third number changes nothing here.
    fn parse(version: &str) -> Option<Glibc> {
        let mut numbers = version.strip_prefix("GLIBC_")?.split('.').map(|number| number.parse().ok());
        Some(Glibc(numbers.next()??, numbers.next()??))
    }
}

impl fmt::Display for Glibc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// What a binary needs of the system that it starts on.
#[derive(Debug, PartialEq, Eq)]
pub struct Needs {
    pub architecture: Architecture,
    /// The newest GLIBC asked for; None where there is no dependency on it.
    pub glibc: Option<Glibc>,
    /// `SYMBOL (VERSION)` for each one that the runtime does not have.
    too_new: Vec<String>,
}

impl Needs {
    /// Reads them from the dynamic section's version needs (System V ABI; LSB Core, "Symbol Versioning").
    pub fn of(binary: &[u8]) -> Result<Needs> {
        let not_elf = |what: &str| Error::unexpected(format!("the binary is not one that Lambda can start: {what}"));
        let header = FileHeader64::<Endianness>::parse(binary)
            .map_err(|error| not_elf("it is no 64-bit ELF file").caused_by(error))?;
        let machine = header.endian().map(|endian| header.e_machine(endian));
        let architecture = match machine {
            Ok(elf::EM_AARCH64) => Architecture::Arm64,
            Ok(elf::EM_X86_64) => Architecture::X86_64,
            _ => return Err(not_elf("it is for another processor than arm64 and x86_64")),
        };
        let versions = read_versions(header, binary).map_err(|error| not_elf("it is damaged").caused_by(error))?;
        let too_new = |wanted: &&Wanted| Glibc::parse(&wanted.version).is_none_or(|version| version > GLIBC);
        Ok(Needs {
            architecture,
            glibc: versions.iter().filter_map(|wanted| Glibc::parse(&wanted.version)).max(),
            too_new: versions.iter().filter(too_new).map(Wanted::to_string).collect(),
        })
    }

    pub fn starts(&self) -> bool {
        self.too_new.is_empty()
    }

    pub fn check_architecture(&self, wanted: Architecture) -> Result<()> {
        match self.architecture == wanted {
            true => Ok(()),
            false => Err(Error::unexpected(format!("cargo built for {}, not for {wanted}", self.architecture))
                .hint("look for a [build] target or a linker in .cargo/config.toml")),
        }
    }

    /// An error that names what is too new for the runtime.
    pub fn check(&self, wanted: Architecture) -> Result<()> {
        self.check_architecture(wanted)?;
        if self.starts() {
            return Ok(());
        }
        let mut named = self.too_new.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
        if self.too_new.len() > NAMED {
            named.push_str(&format!(", and {} more", self.too_new.len() - NAMED));
        }
        Err(Error::unexpected(format!(
            "the binary needs a newer GLIBC than provided.al2023 has ({GLIBC}), and would not start there: {named}"
        ))
        .hint(
            "install cargo-zigbuild, which links against the older one (pip install cargo-zigbuild), and build again",
        ))
    }
}

/// A version of GLIBC that the binary asks for, and a symbol it is asked for.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Wanted {
    symbol: String,
    version: String,
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.symbol.as_str() {
            "" => f.write_str(&self.version),
            symbol => write!(f, "{symbol} ({})", self.version),
        }
    }
}

/// Every version of GLIBC that is asked for, with its symbols. The loader refuses a version that it does not know even
/// where no symbol uses it (`GLIBC_ABI_DT_RELR`); such a one stands alone.
fn read_versions(header: &FileHeader64<Endianness>, binary: &[u8]) -> object::Result<Vec<Wanted>> {
    let endian = header.endian()?;
    let sections = header.sections(endian, binary)?;
    let table: VersionTable<'_, FileHeader64<Endianness>> = sections.versions(endian, binary)?.unwrap_or_default();
    let symbols: SymbolTable<'_, FileHeader64<Endianness>> = sections.symbols(endian, binary, elf::SHT_DYNSYM)?;
    let mut wanted = Vec::new();
    for (index, symbol) in symbols.enumerate().filter(|(_, symbol)| symbol.is_undefined(endian)) {
        let version = table.version(table.version_index(endian, index).index())?;
        if let Some(version) = version.map(|version| text(version.name())).filter(|name| name.starts_with("GLIBC_")) {
            wanted.push(Wanted { symbol: text(symbol.name(endian, symbols.strings())?), version });
        }
    }
    if let Some((mut libraries, strings)) = sections.gnu_verneed(endian, binary)? {
        let strings = sections.strings(endian, binary, strings)?;
        while let Some((_, mut versions)) = libraries.next()? {
            while let Some(version) = versions.next()? {
                let version = text(version.name(endian, strings)?);
                if version.starts_with("GLIBC_") && !wanted.iter().any(|wanted| wanted.version == version) {
                    wanted.push(Wanted { symbol: String::new(), version });
                }
            }
        }
    }
    wanted.sort();
    wanted.dedup();
    Ok(wanted)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn this_test() -> Vec<u8> {
        std::fs::read(std::env::current_exe().unwrap()).unwrap()
    }

    #[test]
    fn versions_are_numbers_not_text() {
        assert!(Glibc::parse("GLIBC_2.4") < Glibc::parse("GLIBC_2.34"));
        assert!(Glibc::parse("GLIBC_2.35").unwrap() > GLIBC);
        assert_eq!(Glibc::parse("GLIBC_2.2.5"), Some(Glibc(2, 2)));
        for other in ["GLIBC_PRIVATE", "GLIBC_ABI_DT_RELR", "GCC_3.0", "GLIBC_2", "2.34"] {
            assert_eq!(Glibc::parse(other), None, "{other}");
        }
        assert_eq!(Glibc(2, 34).to_string(), "2.34");
    }

    #[test]
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    fn the_needs_of_a_real_binary_are_read() {
        let needs = Needs::of(&this_test()).unwrap();
        assert_eq!(Some(needs.architecture), Architecture::host());
        assert!(needs.glibc.unwrap() >= Glibc(2, 17), "{needs:?}");
    }

    #[test]
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    fn a_version_that_the_runtime_lacks_is_refused_by_symbol() {
        // The same binary, with the version that every Rust program asks for renamed to one that comes later.
        let mut binary = this_test();
        let (old, new) = (b"GLIBC_2.34\0", b"GLIBC_2.99\0");
        let places: Vec<usize> =
            binary.windows(old.len()).enumerate().filter(|(_, w)| w == old).map(|(i, _)| i).collect();
        assert!(!places.is_empty());
        for place in places {
            binary[place..place + new.len()].copy_from_slice(new);
        }
        let needs = Needs::of(&binary).unwrap();
        assert!(!needs.starts());
        let error = needs.check(needs.architecture).unwrap_err();
        assert!(error.to_string().contains("__libc_start_main (GLIBC_2.99)"), "{error}");
        assert!(error.advice().contains("cargo-zigbuild"));
    }

    #[test]
    fn another_processor_and_no_elf_at_all_are_refused() {
        let needs = Needs { architecture: Architecture::Arm64, glibc: None, too_new: Vec::new() };
        assert_eq!(needs.check(Architecture::X86_64).unwrap_err().to_string(), "cargo built for arm64, not for x86_64");
        assert!(needs.check(Architecture::Arm64).is_ok());
        for bytes in [b"".as_slice(), b"#!/bin/sh\n", &this_test()[..100]] {
            assert!(Needs::of(bytes).is_err());
        }
    }
}
