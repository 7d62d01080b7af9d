//! One source file: what it imports, and which public types it has.

use syn::visit::{self, Visit};

/// What a file says about the modules of its crate.
#[derive(Default)]
pub struct Parsed {
    /// Paths that begin with `crate`, `super` or `self`, segment by segment.
    pub paths: Vec<Vec<String>>,
    /// Names that the file gives further from another module: the name, and the path behind it. `*` stands for all names.
    pub reexports: Vec<(String, Vec<String>)>,
    /// Public types: `pub`, or public in a part of the crate.
    pub types: Vec<String>,
    /// Names of the modules that are files of their own, and of those written inside the file.
    pub modules: Vec<String>,
}

impl Parsed {
    /// Reads a file. What is compiled for tests only is left out.
    pub fn of(text: &str) -> Self {
        let mut parsed = Self::default();
        parsed.visit_file(&syn::parse_file(text).unwrap());
        parsed
    }

    fn import(&mut self, tree: &syn::UseTree, before: &mut Vec<String>, public: bool) {
        match tree {
            syn::UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.import(&path.tree, before, public);
                before.pop();
            }
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    self.import(tree, before, public);
                }
            }
            syn::UseTree::Name(name) => self.named(before, &name.ident, &name.ident, public),
            syn::UseTree::Rename(rename) => self.named(before, &rename.ident, &rename.rename, public),
            syn::UseTree::Glob(_) => {
                if public {
                    self.reexports.push(("*".into(), before.clone()));
                }
                self.paths.push(before.clone());
            }
        }
    }

    fn named(&mut self, before: &[String], name: &syn::Ident, known_as: &syn::Ident, public: bool) {
        let mut path = before.to_vec();
        if name != "self" {
            path.push(name.to_string());
        }
        if public {
            self.reexports.push((known_as.to_string(), path.clone()));
        }
        self.paths.push(path);
    }

    fn public_type(&mut self, visibility: &syn::Visibility, name: &syn::Ident) {
        if !matches!(visibility, syn::Visibility::Inherited) {
            self.types.push(name.to_string());
        }
    }
}

/// Whether an item is compiled for tests only.
fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|a| {
        let syn::Meta::List(list) = &a.meta else {
            return false;
        };
        list.path.is_ident("cfg") && list.tokens.to_string() == "test"
    })
}

impl<'ast> Visit<'ast> for Parsed {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let attributes = match item {
            syn::Item::Mod(i) => &i.attrs,
            syn::Item::Use(i) => &i.attrs,
            syn::Item::Fn(i) => &i.attrs,
            syn::Item::Impl(i) => &i.attrs,
            syn::Item::Struct(i) => &i.attrs,
            syn::Item::Enum(i) => &i.attrs,
            _ => return visit::visit_item(self, item),
        };
        if !is_for_tests(attributes) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.modules.push(item.ident.to_string());
        // Paths in a module written here are relative to that; they are seldom, and none of them leaves the file.
        if item.content.is_none() {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let public = !matches!(item.vis, syn::Visibility::Inherited);
        self.import(&item.tree, &mut Vec::new(), public);
    }

    // `pub(in crate::a)` imports nothing.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.segments.len() > 1 {
            self.paths
                .push(path.segments.iter().map(|s| s.ident.to_string()).collect());
        }
        visit::visit_path(self, path);
    }

    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.public_type(&item.vis, &item.ident);
        visit::visit_item_struct(self, item);
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.public_type(&item.vis, &item.ident);
        visit::visit_item_enum(self, item);
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.public_type(&item.vis, &item.ident);
        visit::visit_item_trait(self, item);
    }

    fn visit_item_type(&mut self, item: &'ast syn::ItemType) {
        self.public_type(&item.vis, &item.ident);
        visit::visit_item_type(self, item);
    }
}
