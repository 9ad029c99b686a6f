//! Reads the XML of a jPOS GenericPackager into its fields, each with its line.
//!
//! The file may come from anywhere: its DOCTYPE is never fetched, it may declare no entity, and its
//! size and depth are bounded.

use roxmltree::{Document, Node, ParsingOptions};

/// A packager of 128 fields with subfields is a tenth of that.
const PACKAGER_BYTES_MAX: usize = 4 << 20;
/// Elements, white space and comments; jPOS's own largest packager has some 2,000.
const NODES_MAX: u32 = 100_000;
/// jPOS's own packagers nest twice; the packagers of networks three times.
const DEPTH_MAX: usize = 8;

/// Something that cannot be imported, and the line of the file where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli::dialect) struct Fault {
    /// From 1.
    pub(in crate::cli::dialect) line: usize,
    pub(in crate::cli::dialect) what: String,
}

/// `isopackager`.
#[derive(Debug)]
pub(super) struct Packager {
    pub(super) line: usize,
    pub(super) attributes: Attributes,
    pub(super) fields: Vec<Field>,
}

/// `isofield`, or `isofieldpackager` with what is in it.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) line: usize,
    pub(super) id: u16,
    pub(super) name: String,
    pub(super) class: String,
    pub(super) length: u32,
    pub(super) pad: bool,
    pub(super) attributes: Attributes,
    pub(super) inner: Option<Inner>,
}

impl Field {
    /// What it is called; its number if it has no name.
    pub(super) fn name(&self) -> String {
        match self.name.trim() {
            "" => format!("Field {}", self.id),
            name => name.to_owned(),
        }
    }
}

/// Every field of the number of a later one; jPOS takes the last.
pub(super) fn overruled(fields: &[Field]) -> impl Iterator<Item = Fault> {
    let pairs = fields.iter().zip(fields.iter().skip(1));
    let pairs = pairs.filter(|(field, next)| field.id == next.id);
    pairs.map(|(field, next)| {
        let (id, line, again) = (field.id, field.line, next.line);
        let what = format!("field {id} is given again in line {again}; jPOS takes the last one");
        Fault { line, what }
    })
}

/// What an `isofieldpackager` holds.
#[derive(Debug)]
pub(super) struct Inner {
    pub(super) packager: String,
    pub(super) fields: Vec<Field>,
}

/// The attributes as they were written.
#[derive(Debug)]
pub(super) struct Attributes(Vec<(String, String)>);

impl Attributes {
    fn of(node: Node<'_, '_>) -> Self {
        let pair = |attribute: roxmltree::Attribute<'_, '_>| {
            let value = attribute.value().trim();
            (attribute.name().to_owned(), value.to_owned())
        };
        Self(node.attributes().map(pair).collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// `true` or anything else, as jPOS reads it.
    pub(super) fn is_true(&self, name: &str) -> Option<bool> {
        self.get(name).map(|text| text.eq_ignore_ascii_case("true"))
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }
}

/// The packager of a file.
///
/// # Errors
/// Every fault that is found, in the order of the lines.
pub(super) fn read(text: &str) -> Result<Packager, Vec<Fault>> {
    let fault = |line, what: String| Err(vec![Fault { line, what }]);
    if text.len() > PACKAGER_BYTES_MAX {
        return fault(1, format!("longer than {PACKAGER_BYTES_MAX} bytes"));
    }
    if let Some(at) = text.find("<!ENTITY") {
        let line = text.as_bytes().iter().take(at);
        let line = 1 + line.filter(|byte| **byte == b'\n').count();
        return fault(
            line,
            "declares an entity; write out what it stands for".into(),
        );
    }
    let options = ParsingOptions {
        // It is passed over: roxmltree fetches nothing.
        allow_dtd: true,
        nodes_limit: NODES_MAX,
        ..ParsingOptions::default()
    };
    let document = match Document::parse_with_options(text, options) {
        Ok(document) => document,
        Err(error) => return fault(error.pos().row as usize, format!("no XML: {error}")),
    };
    let root = document.root_element();
    let mut reader = Reader {
        document: &document,
        faults: Vec::new(),
    };
    if root.tag_name().name() != "isopackager" {
        let found = root.tag_name().name();
        let what = format!("a jPOS packager begins with <isopackager>, this with <{found}>");
        return fault(reader.line(root), what);
    }
    let packager = Packager {
        line: reader.line(root),
        attributes: Attributes::of(root),
        fields: reader.fields(root, 0),
    };
    match reader.faults.is_empty() {
        true => Ok(packager),
        false => Err(reader.faults),
    }
}

struct Reader<'a, 'input> {
    document: &'a Document<'input>,
    faults: Vec<Fault>,
}

impl<'a, 'input> Reader<'a, 'input> {
    fn line(&self, node: Node<'a, 'input>) -> usize {
        self.document.text_pos_at(node.range().start).row as usize
    }

    fn fault<T>(&mut self, node: Node<'a, 'input>, what: String) -> Option<T> {
        let line = self.line(node);
        self.faults.push(Fault { line, what });
        None
    }

    fn fields(&mut self, parent: Node<'a, 'input>, depth: usize) -> Vec<Field> {
        let mut fields = Vec::new();
        for node in parent.children().filter(Node::is_element) {
            fields.extend(self.field(node, depth));
        }
        // Those of one number stay in the order of the file.
        fields.sort_by_key(|field: &Field| field.id);
        fields
    }

    fn field(&mut self, node: Node<'a, 'input>, depth: usize) -> Option<Field> {
        let is_nested = match node.tag_name().name() {
            "isofield" => false,
            "isofieldpackager" if depth == DEPTH_MAX => {
                return self.fault(node, format!("packagers lie more than {DEPTH_MAX} deep"));
            }
            "isofieldpackager" => true,
            // What a validating packager asks of a field; the wire does not show it.
            "isofieldvalidator" | "isovalidator" | "property" => return None,
            other => return self.fault(node, format!("<{other}> is no part of a jPOS packager")),
        };
        let attributes = Attributes::of(node);
        let (id, name) = (attributes.get("id"), attributes.get("name"));
        let whose = format!("field {}", id.unwrap_or("without id"));
        let id = match id.map(str::parse) {
            Some(Ok(id)) => Some(id),
            _ => self.fault(node, format!("{whose}: id must be a number")),
        };
        let length = match attributes.get("length").map(str::parse) {
            Some(Ok(length)) => Some(length),
            _ => self.fault(node, format!("{whose}: length must be a number")),
        };
        let class = match attributes.get("class") {
            Some(class) => Some(class.to_owned()),
            None => self.fault(node, format!("{whose}: has no class")),
        };
        let inner = match (is_nested, attributes.get("packager")) {
            (false, _) => None,
            (true, Some(packager)) => Some(Inner {
                packager: packager.to_owned(),
                fields: self.fields(node, depth + 1),
            }),
            (true, None) => return self.fault(node, format!("{whose}: has no packager")),
        };
        Some(Field {
            line: self.line(node),
            id: id?,
            name: name.unwrap_or_default().to_owned(),
            class: class?,
            length: length?,
            pad: attributes.is_true("pad").unwrap_or(false),
            attributes,
            inner,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Vec<(usize, String)> {
        let found = read(text).unwrap_err();
        found.into_iter().map(|f| (f.line, f.what)).collect()
    }

    #[test]
    fn a_doctype_is_passed_over_and_an_entity_refused() {
        let doctype =
            "<!DOCTYPE isopackager PUBLIC \"-//jPOS//DTD//EN\" \"http://127.0.0.1:1/x\">\n";
        let field = "<isofield id=\"3\" length=\"6\" name=\"Code\" class=\"x.Y\" pad=\"true\"/>";
        let packager = read(&format!("{doctype}<isopackager>\n{field}</isopackager>")).unwrap();
        let [field] = packager.fields.as_slice() else {
            panic!("{packager:?}")
        };
        assert_eq!(
            (field.line, field.id, field.length, field.pad),
            (3, 3, 6, true)
        );

        let entity = "<!DOCTYPE isopackager [\n<!ENTITY a \"aaaa\">]>\n<isopackager/>";
        let found = faults(entity);
        assert!(
            found[0].0 == 2 && found[0].1.contains("declares an entity"),
            "{found:?}"
        );
    }

    #[test]
    fn what_is_no_packager_is_refused_with_its_line() {
        for (text, line, fault) in [
            ("", 1, "no XML"),
            ("<isopackager>\n<isofield", 1, "no XML"),
            ("<project/>", 1, "begins with <isopackager>"),
            (
                "<isopackager>\n<field/></isopackager>",
                2,
                "<field> is no part",
            ),
            (
                "<isopackager>\n\n<isofield id=\"x\" length=\"1\" class=\"c\"/></isopackager>",
                3,
                "id must",
            ),
            (
                "<isopackager><isofield id=\"2\" class=\"c\"/></isopackager>",
                1,
                "field 2: length must",
            ),
            (
                "<isopackager><isofield id=\"2\" length=\"1\"/></isopackager>",
                1,
                "has no class",
            ),
            (
                "<isopackager><isofieldpackager id=\"2\" length=\"1\" class=\"c\"/></isopackager>",
                1,
                "has no packager",
            ),
        ] {
            let found = faults(text);
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(
                found[0].0 == line && found[0].1.contains(fault),
                "{found:?}"
            );
        }
    }

    #[test]
    fn packagers_in_packagers_are_followed_only_so_deep() {
        let open = "<isofieldpackager id=\"1\" length=\"9\" class=\"c\" packager=\"p\">";
        let nested = |depth| {
            let (open, close) = (open.repeat(depth), "</isofieldpackager>".repeat(depth));
            read(&format!("<isopackager>{open}{close}</isopackager>"))
        };
        assert!(nested(DEPTH_MAX).is_ok());
        assert!(
            nested(DEPTH_MAX + 1).unwrap_err()[0]
                .what
                .contains("more than 8 deep")
        );
    }
}
