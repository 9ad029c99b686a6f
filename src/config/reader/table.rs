//! A table of the file: its keys with defaults and limits, and the refusal of all others.

use std::{
    fmt::{Debug, Display},
    ops::RangeInclusive,
    time::Duration,
};

use toml::de::DeTable;

use super::{super::hint, Document, Item, Place, item::shown, join};

/// One table of the document, or an absent one, all of whose keys have their defaults.
pub(in crate::config) struct Table<'d> {
    document: &'d Document,
    section: String,
    place: Place,
    entries: Option<&'d DeTable<'d>>,
}

impl<'d> Table<'d> {
    /// Reads the table that is the document.
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

    /// The document, for faults that concern several keys.
    pub(in crate::config) fn document(&self) -> &'d Document {
        self.document
    }

    /// The table's header.
    pub(in crate::config) fn place(&self) -> &Place {
        &self.place
    }

    /// Where a key stands, or else the table that has it by default.
    pub(in crate::config) fn place_of(&self, key: &'static str) -> Place {
        let item = self.get(key);
        item.map_or_else(|| self.place.clone(), Item::into_place)
    }

    /// The value of a key, if it is there.
    pub(in crate::config) fn get(&self, key: &'static str) -> Option<Item<'d>> {
        self.document
            .known
            .borrow_mut()
            .entry(self.section.clone())
            .or_default()
            .insert(key);
        let (name, value) = self.entries?.get_key_value(key)?;
        let place = self.document.place(name.span(), join(&self.place.key, key));
        Some(Item::new(self.document, place, value.get_ref()))
    }

    /// The value of a key that has to be there.
    pub(in crate::config) fn required(&self, key: &'static str) -> Option<Item<'d>> {
        let item = self.get(key);
        if item.is_none() {
            let place = Place {
                line: self.place.line,
                key: join(&self.place.key, key),
            };
            self.document.fault(&place, "is missing", None);
        }
        item
    }

    /// An integer within limits.
    pub(in crate::config) fn number<N>(
        &self,
        key: &'static str,
        default: N,
        limits: RangeInclusive<N>,
    ) -> N
    where
        N: Copy + Display + PartialOrd + TryFrom<i64>,
    {
        self.note_default(key, || default.to_string());
        self.get(key)
            .and_then(|item| item.number(limits))
            .unwrap_or(default)
    }

    /// Milliseconds within limits.
    pub(in crate::config) fn millis(
        &self,
        key: &'static str,
        default_ms: u64,
        limits_ms: RangeInclusive<u64>,
    ) -> Duration {
        Duration::from_millis(self.number(key, default_ms, limits_ms))
    }

    /// Seconds within limits.
    pub(in crate::config) fn seconds(
        &self,
        key: &'static str,
        default_s: u64,
        limits_s: RangeInclusive<u64>,
    ) -> Duration {
        Duration::from_secs(self.number(key, default_s, limits_s))
    }

    /// A text in the form that `parse` accepts. `None` only with a fault recorded.
    pub(in crate::config) fn text<T>(
        &self,
        key: &'static str,
        default: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        self.note_default(key, || format!("{default:?}"));
        match self.get(key) {
            Some(item) => item.text(parse),
            None => parse(default).ok(),
        }
    }

    /// A text that has to be there, in the form that `parse` accepts.
    pub(in crate::config) fn required_text<T>(
        &self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        self.required(key)?.text(parse)
    }

    /// One word of several, each with its meaning. `None` only with a fault recorded.
    pub(in crate::config) fn choice<T: Copy>(
        &self,
        key: &'static str,
        default: &str,
        words: &[(&str, T)],
    ) -> Option<T> {
        self.text(key, default, |given| {
            let found = words.iter().find(|(word, _)| *word == given);
            found.map(|(_, meaning)| *meaning).ok_or_else(|| {
                let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                format!("is none of {}", words.join(", "))
            })
        })
    }

    /// A list of texts, each in the form that `parse` accepts.
    pub(in crate::config) fn list<T>(
        &self,
        key: &'static str,
        default: &[&str],
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Vec<T> {
        self.note_default(key, || format!("{default:?}"));
        match self.get(key) {
            Some(item) => item
                .elements()
                .iter()
                .filter_map(|element| element.text(&parse))
                .collect(),
            None => default.iter().filter_map(|text| parse(text).ok()).collect(),
        }
    }

    /// A list with at least one element. `None` only with a fault recorded.
    pub(in crate::config) fn list_not_empty<T>(
        &self,
        key: &'static str,
        default: &[&str],
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        if let Some(item) = self.get(key).filter(Item::is_empty_list) {
            item.fault("is empty", None);
        }
        Some(self.list(key, default, parse)).filter(|list| !list.is_empty())
    }

    /// The elements of a list that is empty by default.
    pub(in crate::config) fn elements(&self, key: &'static str) -> Vec<Item<'d>> {
        self.note_default(key, || "[]".into());
        self.get(key).map_or_else(Vec::new, |item| item.elements())
    }

    /// A list of integers, each within limits.
    pub(in crate::config) fn numbers<N>(
        &self,
        key: &'static str,
        default: &[N],
        limits: RangeInclusive<N>,
    ) -> Vec<N>
    where
        N: Copy + Debug + Display + PartialOrd + TryFrom<i64>,
    {
        self.note_default(key, || format!("{default:?}"));
        match self.get(key) {
            Some(item) => item
                .elements()
                .iter()
                .filter_map(|element| element.number(limits.clone()))
                .collect(),
            None => default.to_vec(),
        }
    }

    /// `true` or `false`.
    pub(in crate::config) fn boolean(&self, key: &'static str, default: bool) -> bool {
        self.note_default(key, || default.to_string());
        self.get(key)
            .and_then(|item| item.boolean())
            .unwrap_or(default)
    }

    /// A table under this one, which may be absent.
    pub(in crate::config) fn table<T>(
        &self,
        key: &'static str,
        by: impl FnOnce(&Table<'d>) -> T,
    ) -> T {
        let item = self.get(key);
        let entries = item.as_ref().and_then(Item::table);
        let place = item.map_or_else(|| self.place.clone(), Item::into_place);
        self.under(key, place, entries, by)
    }

    /// A table under this one that means something by being there. The outer `None` only with a
    /// fault recorded, the inner one if it is absent.
    pub(in crate::config) fn table_if_present<T>(
        &self,
        key: &'static str,
        by: impl FnOnce(&Table<'d>) -> Option<T>,
    ) -> Option<Option<T>> {
        let Some(item) = self.get(key) else {
            return Some(None);
        };
        let entries = item.table()?;
        self.under(key, item.into_place(), Some(entries), by)
            .map(Some)
    }

    /// The tables of a list, in the order of the file; those that are faulty are left out.
    pub(in crate::config) fn tables<T>(
        &self,
        key: &'static str,
        mut by: impl FnMut(&Table<'d>) -> Option<T>,
    ) -> Vec<T> {
        let Some(item) = self.get(key) else {
            return Vec::new();
        };
        if item.is_table() {
            let hint = format!("there may be several: write [[{}]]", item.place().key);
            item.fault("is a table, not a list of tables", Some(hint));
            return Vec::new();
        }
        let section = format!("{key}[]");
        item.elements()
            .into_iter()
            .filter_map(|element| {
                let entries = element.table()?;
                self.under(&section, element.into_place(), Some(entries), &mut by)
            })
            .collect()
    }

    /// A table that is one element of a list among others that may be none, as [`Self::elements`]
    /// gave it. `None` only with a fault recorded.
    pub(in crate::config) fn element_table<T>(
        &self,
        key: &'static str,
        element: &Item<'d>,
        by: impl FnOnce(&Table<'d>) -> Option<T>,
    ) -> Option<T> {
        let entries = element.table()?;
        let section = format!("{key}[]");
        self.under(&section, element.place().clone(), Some(entries), by)
    }

    fn under<T>(
        &self,
        section: &str,
        place: Place,
        entries: Option<&'d DeTable<'d>>,
        by: impl FnOnce(&Table<'d>) -> T,
    ) -> T {
        let section = join(&self.section, section);
        Self::read(self.document, section, place, entries, by)
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
        };
        let read = by(&table);
        table.refuse_unknown_keys();
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
            let shown = shown(name);
            let place = self
                .document
                .place(key.span(), join(&self.place.key, &shown));
            let nearest = known.and_then(|known| hint::nearest(name, known.iter().copied()));
            let hint = nearest.map(|nearest| format!("did you mean {nearest}?"));
            self.document.fault(&place, "is no known key", hint);
        }
    }

    #[cfg(test)]
    fn note_default(&self, key: &'static str, default: impl FnOnce() -> String) {
        let mut defaults = self.document.defaults.borrow_mut();
        defaults.insert((self.section.clone(), key), default());
    }

    #[cfg(not(test))]
    fn note_default(&self, _key: &'static str, _default: impl FnOnce() -> String) {}
}
