//! The modules of a crate and the paths that its code names, read from its files by `syn`.
//!
//! [`Modules::read`] follows `mod` declarations from a root file. [`Modules::definer`] follows a
//! path through modules, imports and re-exports to the file that defines its item. Code under
//! `#[cfg(test)]` is left out: tests may use everything.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Attribute, ImplItem, Item, Meta, UseTree, Visibility};

/// Steps through imports before a path counts as unresolvable.
const ALIASES_MAX: usize = 32;

/// The texts of files by their path.
pub(crate) type Files = BTreeMap<PathBuf, String>;

pub(crate) struct Modules(Vec<Module>);

struct Module {
    file: PathBuf,
    parent: Option<usize>,
    /// One name may be a function, a type and a module at once.
    names: BTreeMap<String, Vec<Named>>,
    globs: Vec<Vec<String>>,
    used: Vec<UsedPath>,
}

enum Named {
    Child(usize),
    Item,
    Import(Vec<String>),
}

/// A path that code names, and the module that names it.
#[derive(Clone)]
pub(crate) struct UsedPath {
    pub(crate) segments: Vec<String>,
    pub(crate) line: usize,
}

/// What a path leads to.
#[derive(Clone, Copy)]
enum Target {
    Module(usize),
    /// An item of this module, or what belongs to the item (a variant, an associated function).
    ItemOf(usize),
}

impl Modules {
    /// Reads a crate from its root file.
    pub(crate) fn read(root: &Path, files: &Files) -> Result<Self, String> {
        let mut modules = Self(Vec::new());
        let folder = root.parent().unwrap_or(Path::new("")).to_path_buf();
        modules.read_file(root, &folder, None, files)?;
        Ok(modules)
    }

    /// The files of the crate.
    pub(crate) fn files(&self) -> BTreeSet<&Path> {
        self.0.iter().map(|module| module.file.as_path()).collect()
    }

    /// Every path that code names: the number of its module, and the path.
    pub(crate) fn used(&self) -> impl Iterator<Item = (usize, &UsedPath)> {
        self.0.iter().enumerate().flat_map(|(at, module)| module.used.iter().map(move |u| (at, u)))
    }

    pub(crate) fn file(&self, module: usize) -> &Path {
        &self.0[module].file
    }

    /// The file that defines what a path in a module names; `None` for other crates' items and for
    /// paths that end at a module.
    pub(crate) fn definer(&self, module: usize, path: &[String]) -> Option<&Path> {
        match self.resolve(module, path, ALIASES_MAX)? {
            Target::ItemOf(found) => Some(self.file(found)),
            Target::Module(_) => None,
        }
    }

    /// `folder` is where the files of the module's children lie.
    fn read_file(
        &mut self,
        file: &Path,
        folder: &Path,
        parent: Option<usize>,
        files: &Files,
    ) -> Result<usize, String> {
        let shown = file.display();
        let text = files.get(file).ok_or(format!("{shown}: no such file"))?;
        let parsed = syn::parse_file(text).map_err(|error| format!("{shown}: {error}"))?;
        let module = self.add(file, parent);
        self.read_items(module, &parsed.items, folder, files)?;
        Ok(module)
    }

    fn add(&mut self, file: &Path, parent: Option<usize>) -> usize {
        self.0.push(Module {
            file: file.to_path_buf(),
            parent,
            names: BTreeMap::new(),
            globs: Vec::new(),
            used: Vec::new(),
        });
        self.0.len() - 1
    }

    fn read_items(
        &mut self,
        module: usize,
        items: &[Item],
        folder: &Path,
        files: &Files,
    ) -> Result<(), String> {
        for item in items.iter().filter(|item| !is_test(attributes(item))) {
            if let Item::Mod(declared) = item {
                let name = declared.ident.to_string();
                let inner = folder.join(&name);
                let child = if let Some((_, items)) = &declared.content {
                    let child = self.add(&self.0[module].file.clone(), Some(module));
                    self.read_items(child, items, &inner, files)?;
                    child
                } else {
                    let beside = folder.join(format!("{name}.rs"));
                    let within = inner.join("mod.rs");
                    let file = if files.contains_key(&beside) { beside } else { within };
                    self.read_file(&file, &inner, Some(module), files)?
                };
                self.name(module, name, Named::Child(child));
                continue;
            }
            if let Some(name) = name_of(item) {
                self.name(module, name, Named::Item);
            }
            let mut seen = Seen::default();
            seen.visit_item(item);
            for (name, path) in seen.imports {
                self.name(module, name, Named::Import(path));
            }
            self.0[module].globs.extend(seen.globs);
            self.0[module].used.extend(seen.used);
        }
        Ok(())
    }

    fn name(&mut self, module: usize, name: String, named: Named) {
        self.0[module].names.entry(name).or_default().push(named);
    }

    fn resolve(&self, from: usize, path: &[String], aliases: usize) -> Option<Target> {
        let (first, mut rest) = path.split_first()?;
        let mut at = match first.as_str() {
            "crate" => Target::Module(0),
            "self" => Target::Module(from),
            "super" => Target::Module(self.0[from].parent?),
            name => self.look_up(from, name, rest.is_empty(), aliases)?,
        };
        while let (Target::Module(module), Some((name, after))) = (at, rest.split_first()) {
            at = match name.as_str() {
                "super" => Target::Module(self.0[module].parent?),
                "self" => at,
                name => self.look_up(module, name, after.is_empty(), aliases)?,
            };
            rest = after;
        }
        Some(at)
    }

    /// What a name means in a module. At a path's end an item goes before a module of its name.
    fn look_up(&self, module: usize, name: &str, at_end: bool, aliases: usize) -> Option<Target> {
        let aliases = aliases.checked_sub(1)?;
        let named = self.0[module].names.get(name).map_or(&[][..], Vec::as_slice);
        let mut found: Vec<Target> = named
            .iter()
            .filter_map(|named| match named {
                Named::Child(child) => Some(Target::Module(*child)),
                Named::Item => Some(Target::ItemOf(module)),
                Named::Import(path) if path.first().is_some_and(|first| first == name) => {
                    // `use finish::finish` beside `mod finish`: only the module can be meant.
                    let child = self.child(module, name)?;
                    self.resolve(child, &path[1..], aliases)
                }
                Named::Import(path) => self.resolve(module, path, aliases),
            })
            .collect();
        if found.is_empty() {
            found.extend(self.0[module].globs.iter().find_map(|glob| {
                let Target::Module(of) = self.resolve(module, glob, aliases)? else { return None };
                self.look_up(of, name, at_end, aliases)
            }));
        }
        found.sort_by_key(|target| matches!(target, Target::Module(_)) == at_end);
        found.first().copied()
    }

    fn child(&self, module: usize, name: &str) -> Option<usize> {
        self.0[module].names.get(name)?.iter().find_map(|named| match named {
            Named::Child(child) => Some(*child),
            _ => None,
        })
    }
}

/// True for what only a test build compiles.
pub(crate) fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string() == "test",
        Meta::Path(path) => path.is_ident("test"),
        Meta::NameValue(_) => false,
    })
}

pub(crate) fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn name_of(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(name.to_string())
}

/// What one item imports and names.
#[derive(Default)]
struct Seen {
    imports: Vec<(String, Vec<String>)>,
    globs: Vec<Vec<String>>,
    used: Vec<UsedPath>,
}

impl Seen {
    /// A re-export by itself is no use: what the file's own code names through it is.
    fn import(&mut self, tree: &UseTree, before: &[String], is_private: bool) {
        let mut path = before.to_vec();
        match tree {
            UseTree::Path(step) => {
                path.push(step.ident.to_string());
                self.import(&step.tree, &path, is_private);
            }
            UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.import(tree, before, is_private));
            }
            UseTree::Glob(_) => self.globs.push(path),
            UseTree::Name(_) | UseTree::Rename(_) => {
                let (ident, name) = match tree {
                    UseTree::Rename(renamed) => (&renamed.ident, &renamed.rename),
                    UseTree::Name(named) => (&named.ident, &named.ident),
                    _ => return,
                };
                let is_self = ident == "self";
                if !is_self {
                    path.push(ident.to_string());
                }
                let name = match (is_self, path.last()) {
                    (true, Some(last)) if name == "self" => last.clone(),
                    _ => name.to_string(),
                };
                self.imports.push((name, path.clone()));
                if is_private {
                    self.used.push(UsedPath { segments: path, line: tree.span().start().line });
                }
            }
        }
    }

    /// Paths in the tokens of a macro's call, which `syn` cannot read as expressions.
    fn tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Ident(first) if at == 0 || !is_mark(&tokens, at - 1, '.') => {
                    let mut segments = vec![first.to_string()];
                    while [at + 1, at + 2].iter().all(|&at| is_mark(&tokens, at, ':')) {
                        let Some(TokenTree::Ident(next)) = tokens.get(at + 3) else { break };
                        segments.push(next.to_string());
                        at += 3;
                    }
                    let is_call = matches!(tokens.get(at + 1), Some(TokenTree::Group(group))
                        if group.delimiter() == Delimiter::Parenthesis);
                    let is_type = segments[0].starts_with(char::is_uppercase);
                    if segments.len() > 1 || is_call || is_type {
                        self.used.push(UsedPath { segments, line: first.span().start().line });
                    }
                }
                _ => {}
            }
            at += 1;
        }
    }
}

fn is_mark(tokens: &[TokenTree], at: usize, mark: char) -> bool {
    matches!(tokens.get(at), Some(TokenTree::Punct(found)) if found.as_char() == mark)
}

impl<'ast> Visit<'ast> for Seen {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_test(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        let tested = match item {
            ImplItem::Fn(function) => is_test(&function.attrs),
            _ => false,
        };
        if !tested {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.import(&item.tree, &[], matches!(item.vis, Visibility::Inherited));
    }

    fn visit_attribute(&mut self, _: &'ast Attribute) {}

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.used.push(UsedPath {
            segments: path.segments.iter().map(|segment| segment.ident.to_string()).collect(),
            line: path.span().start().line,
        });
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, called: &'ast syn::Macro) {
        self.visit_path(&called.path);
        self.tokens(called.tokens.clone());
    }
}
