//! A table of the file: its keys with defaults and limits, and the refusal of all others.

use std::{
    cell::Cell,
    fmt::Display,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use toml::de::DeTable;

use super::{Document, Item, Place, item::shown, join};

/// One table of the document, or an absent one, all of whose keys have their defaults.
pub(crate) struct Table<'d> {
    document: &'d Document,
    section: String,
    place: Place,
    entries: Option<&'d DeTable<'d>>,
    leaves_others: Cell<bool>,
}

impl<'d> Table<'d> {
    pub(super) fn outermost<T>(
        document: &'d Document,
        entries: &'d DeTable<'d>,
        by: impl FnOnce(&Table<'d>) -> T,
    ) -> T {
        let place = Place {
            line: 1,
            key: String::new(),
        };
        Self::read(document, String::new(), place, Some(entries), by)
    }

    /// Whether the file has it: some sections mean something by being there.
    pub(crate) fn is_present(&self) -> bool {
        self.entries.is_some()
    }

    /// Reads a part of the table only: what else it has may be anything.
    pub(crate) fn leave_others(&self) {
        self.leaves_others.set(true);
    }

    /// Records that something about the table is wrong.
    pub(crate) fn fault(&self, what: impl Into<String>) {
        self.document.fault(&self.place, what);
    }

    /// A path as it stands in the file, from the directory of the file.
    pub(crate) fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.document.base_dir.join(path)
    }

    /// The value of a key, if it is there.
    pub(crate) fn get(&self, key: &'static str) -> Option<Item<'d>> {
        let mut known = self.document.known.borrow_mut();
        known.entry(self.section.clone()).or_default().insert(key);
        let (name, value) = self.entries?.get_key_value(key)?;
        let place = self.document.place(name.span(), join(&self.place.key, key));
        Some(Item::new(self.document, place, value.get_ref()))
    }

    /// The value of a key that has to be there.
    pub(crate) fn required(&self, key: &'static str) -> Option<Item<'d>> {
        let item = self.get(key);
        if item.is_none() {
            let place = Place {
                line: self.place.line,
                key: join(&self.place.key, key),
            };
            self.document.fault(&place, "is missing");
        }
        item
    }

    /// An integer within limits.
    pub(crate) fn number<N>(&self, key: &'static str, default: N, limits: RangeInclusive<N>) -> N
    where
        N: Copy + Display + PartialOrd + TryFrom<i64>,
    {
        self.note_default(key, || default.to_string());
        let number = self.get(key).and_then(|item| item.number(limits));
        number.unwrap_or(default)
    }

    /// Milliseconds within limits.
    pub(crate) fn millis(
        &self,
        key: &'static str,
        default_ms: u64,
        limits_ms: RangeInclusive<u64>,
    ) -> Duration {
        Duration::from_millis(self.number(key, default_ms, limits_ms))
    }

    /// Seconds within limits.
    pub(crate) fn seconds(
        &self,
        key: &'static str,
        default_s: u64,
        limits_s: RangeInclusive<u64>,
    ) -> Duration {
        Duration::from_secs(self.number(key, default_s, limits_s))
    }

    /// `true` or `false`.
    pub(crate) fn boolean(&self, key: &'static str, default: bool) -> bool {
        self.note_default(key, || default.to_string());
        let value = self.get(key).and_then(|item| item.boolean());
        value.unwrap_or(default)
    }

    /// A text that is read by its type. `None` only with a fault recorded.
    pub(crate) fn text<T: FromStr<Err: Display>>(
        &self,
        key: &'static str,
        default: &str,
    ) -> Option<T> {
        self.note_default(key, || format!("{default:?}"));
        match self.get(key) {
            Some(item) => item.text(str::parse),
            None => default.parse().ok(),
        }
    }

    /// A text that has to be there and is read by its type.
    pub(crate) fn required_text<T: FromStr<Err: Display>>(&self, key: &'static str) -> Option<T> {
        self.required(key)?.text(str::parse)
    }

    /// A text that may be left out and is read by its type. The outer `None` only with a fault recorded.
    pub(crate) fn optional_text<T: FromStr<Err: Display>>(
        &self,
        key: &'static str,
    ) -> Option<Option<T>> {
        match self.get(key) {
            Some(item) => item.text(str::parse).map(Some),
            None => Some(None),
        }
    }

    /// One word of several, each with its meaning. `None` only with a fault recorded.
    pub(crate) fn choice<T: Copy>(
        &self,
        key: &'static str,
        default: &str,
        words: &[(&str, T)],
    ) -> Option<T> {
        let choose = |given: &str| {
            let found = words.iter().find(|(word, _)| *word == given);
            found.map(|(_, meaning)| *meaning).ok_or_else(|| {
                let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                format!("is none of {}", words.join(", "))
            })
        };
        self.note_default(key, || format!("{default:?}"));
        match self.get(key) {
            Some(item) => item.text(choose),
            None => choose(default).ok(),
        }
    }

    /// The elements of a list that is empty by default.
    pub(crate) fn elements(&self, key: &'static str) -> Vec<Item<'d>> {
        self.note_default(key, || "[]".into());
        self.get(key).map_or_else(Vec::new, |item| item.elements())
    }

    /// The same, of texts that are read by their type; those that are faulty are left out.
    pub(crate) fn list<T: FromStr<Err: Display>>(&self, key: &'static str) -> Vec<T> {
        let elements = self.elements(key);
        let texts = elements.iter().map(|element| element.text(str::parse));
        texts.flatten().collect()
    }

    /// The texts of a list, or the usual ones if it is absent.
    pub(crate) fn texts(&self, key: &'static str, usual: Vec<String>) -> Vec<String> {
        self.note_default(key, || format!("{usual:?}"));
        let Some(item) = self.get(key) else {
            return usual;
        };
        let elements = item.elements();
        let texts = elements.iter().map(|element| element.text(str::parse));
        texts.flatten().collect()
    }

    /// A table under this one, which may be absent.
    pub(crate) fn table<T>(&self, key: &'static str, by: impl FnOnce(&Table<'d>) -> T) -> T {
        let item = self.get(key);
        let entries = item.as_ref().and_then(Item::table);
        let place = item.map_or_else(|| self.place.under(key), Item::into_place);
        let section = join(&self.section, key);
        Self::read(self.document, section, place, entries, by)
    }

    /// The tables of a list, in the order of the file; those that are faulty are left out.
    pub(crate) fn tables<T>(
        &self,
        key: &'static str,
        mut by: impl FnMut(&Table<'d>) -> Option<T>,
    ) -> Vec<T> {
        let elements = self.get(key).map_or_else(Vec::new, |item| item.elements());
        let section = format!("{}[]", join(&self.section, key));
        let read = |element: Item<'d>| {
            let entries = element.table()?;
            let (section, place) = (section.clone(), element.into_place());
            Self::read(self.document, section, place, Some(entries), &mut by)
        };
        elements.into_iter().filter_map(read).collect()
    }

    fn read<T>(
        document: &'d Document,
        section: String,
        place: Place,
        entries: Option<&'d DeTable<'d>>,
        by: impl FnOnce(&Table<'d>) -> T,
    ) -> T {
        let table = Table {
            document,
            section,
            place,
            entries,
            leaves_others: Cell::new(false),
        };
        let read = by(&table);
        if !table.leaves_others.get() {
            table.refuse_unknown_keys();
        }
        read
    }

    fn refuse_unknown_keys(&self) {
        let known = self.document.known.borrow();
        let known = known.get(&self.section);
        for key in self.entries.into_iter().flat_map(|entries| entries.keys()) {
            let name: &str = key.get_ref();
            if known.is_some_and(|known| known.contains(name)) {
                continue;
            }
            let path = join(&self.place.key, &shown(name));
            let place = self.document.place(key.span(), path);
            let all: Vec<&str> = known.into_iter().flatten().copied().collect();
            let what = format!("is no known key; known are {}", all.join(", "));
            self.document.fault(&place, what);
        }
    }

    #[cfg(test)]
    fn note_default(&self, key: &'static str, default: impl FnOnce() -> String) {
        let mut defaults = self.document.defaults.borrow_mut();
        defaults.insert((self.section.clone(), key), default());
    }

    #[cfg(not(test))]
    fn note_default(&self, _: &'static str, _: impl FnOnce() -> String) {}
}

impl Place {
    /// A table that is not there has the line of the one that it would be in.
    fn under(&self, key: &str) -> Self {
        Self {
            line: self.line,
            key: join(&self.key, key),
        }
    }
}
