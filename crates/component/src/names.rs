//! Names of imports and exports: versions of interfaces, and functions that belong to resources.
//!
//! An interface of version `0.2.3` may stand for any other `0.2` version by the rules of [semantic versioning](https://semver.org).
//! All these versions are a *track*. [`NameMap`] looks up an exact name first and the track only if there is none, so that a
//! version that is present is never hidden by another one. The types of an item are still compared.
//!
//! Spec: [import and export names](https://github.com/WebAssembly/component-model/blob/main/design/mvp/Explainer.md#import-and-export-definitions).

use std::collections::HashMap;

use semver::Version;

/// The name of an interface: `namespace:package/interface@version`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceName<'a> {
    /// Namespace and package, such as `wasi:cli`.
    pub package: &'a str,
    /// The interface, such as `run`.
    pub interface: &'a str,
    /// The version, if the name has one.
    pub version: Option<Version>,
}

impl<'a> InterfaceName<'a> {
    /// Reads a name. Returns `None` if it is not that of an interface, or its version is malformed.
    pub fn parse(name: &'a str) -> Option<InterfaceName<'a>> {
        let (path, version) = match name.split_once('@') {
            Some((path, version)) => (path, Some(Version::parse(version).ok()?)),
            None => (name, None),
        };
        let (package, interface) = path.split_once('/')?;
        package.contains(':').then_some(InterfaceName { package, interface, version })
    }

    /// Returns a name without its version. It need not be that of an interface.
    pub fn without_version(name: &str) -> &str {
        name.split_once('@').map_or(name, |(path, _)| path)
    }

    /// Returns the [`track`](InterfaceName::track) of a name, if it is that of an interface.
    pub fn track_of(name: &str) -> Option<String> {
        InterfaceName::parse(name)?.track()
    }

    /// Returns the name of the track that the version belongs to: `wasi:cli/run@0.2`. Pre-releases and versions `0.0.z` are
    /// compatible with no other version, so they have none.
    pub fn track(&self) -> Option<String> {
        let InterfaceName { package, interface, version } = self;
        let version = version.as_ref().filter(|version| version.pre.is_empty())?;
        match (version.major, version.minor) {
            (0, 0) => None,
            (0, minor) => Some(format!("{package}/{interface}@0.{minor}")),
            (major, _) => Some(format!("{package}/{interface}@{major}")),
        }
    }
}

/// The name of a function, which may belong to a resource type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FuncName<'a> {
    /// A function of the interface itself.
    Plain(&'a str),
    /// `[constructor]resource`.
    Constructor(&'a str),
    /// `[method]resource.name`.
    Method(&'a str, &'a str),
    /// `[static]resource.name`.
    Static(&'a str, &'a str),
}

impl<'a> FuncName<'a> {
    /// Reads a name. One with an unknown annotation is plain.
    pub fn parse(name: &'a str) -> FuncName<'a> {
        if let Some(resource) = name.strip_prefix("[constructor]") {
            return FuncName::Constructor(resource);
        }
        let method = name.strip_prefix("[method]").and_then(|rest| rest.split_once('.'));
        let static_ = name.strip_prefix("[static]").and_then(|rest| rest.split_once('.'));
        match (method, static_) {
            (Some((resource, name)), _) => FuncName::Method(resource, name),
            (_, Some((resource, name))) => FuncName::Static(resource, name),
            _ => FuncName::Plain(name),
        }
    }

    /// Returns the resource type that the function belongs to.
    pub fn resource(&self) -> Option<&'a str> {
        match *self {
            FuncName::Plain(_) => None,
            FuncName::Constructor(resource) | FuncName::Method(resource, _) | FuncName::Static(resource, _) => {
                Some(resource)
            }
        }
    }
}

/// Items by name. A name with a version also finds the highest version of its track.
#[derive(Clone, Debug)]
pub struct NameMap<T> {
    items: HashMap<Box<str>, T>,
    /// For each track its highest version and the full name of that.
    tracks: HashMap<Box<str>, (Version, Box<str>)>,
}

impl<T> Default for NameMap<T> {
    fn default() -> NameMap<T> {
        NameMap { items: HashMap::new(), tracks: HashMap::new() }
    }
}

impl<T> NameMap<T> {
    /// Returns an empty map.
    pub fn new() -> NameMap<T> {
        NameMap::default()
    }

    /// Adds an item, or replaces the one of the same name, which is returned.
    pub fn insert(&mut self, name: &str, item: T) -> Option<T> {
        if let Some(interface) = InterfaceName::parse(name)
            && let (Some(track), Some(version)) = (interface.track(), interface.version)
        {
            let highest = self.tracks.get(track.as_str()).is_none_or(|(other, _)| *other <= version);
            if highest {
                self.tracks.insert(track.into(), (version, name.into()));
            }
        }
        self.items.insert(name.into(), item)
    }

    /// Returns the item of a name, or that of the highest version of its track.
    pub fn get(&self, name: &str) -> Option<&T> {
        self.find(name).map(|(_, item)| item)
    }

    /// Returns the item of a name like [`NameMap::get`], and the name under which it was inserted.
    pub fn find(&self, name: &str) -> Option<(&str, &T)> {
        if let Some((name, item)) = self.items.get_key_value(name) {
            return Some((name, item));
        }
        let track = InterfaceName::track_of(name)?;
        let (_, full) = self.tracks.get(track.as_str())?;
        let (name, item) = self.items.get_key_value(full)?;
        Some((name, item))
    }

    /// Returns the item of exactly this name.
    pub fn get_exact_mut(&mut self, name: &str) -> Option<&mut T> {
        self.items.get_mut(name)
    }

    /// Returns all names and items, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.items.iter().map(|(name, item)| (&**name, item))
    }

    /// Returns the name of the same interface in another version, for a message: the highest one.
    pub fn other_version(&self, name: &str) -> Option<&str> {
        let wanted = InterfaceName::parse(name)?;
        let others = self.items.keys().filter_map(|name| {
            let other = InterfaceName::parse(name)?;
            let same = (other.package, other.interface) == (wanted.package, wanted.interface);
            same.then_some((other.version, &**name))
        });
        others.max().map(|(_, name)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tracks_follow_semantic_versioning() {
        let track = InterfaceName::track_of;
        assert_eq!(track("wasi:cli/run@0.2.3").as_deref(), Some("wasi:cli/run@0.2"));
        assert_eq!(track("wasi:cli/run@0.2.3+build").as_deref(), Some("wasi:cli/run@0.2"));
        assert_eq!(track("wasi:cli/run@1.2.3").as_deref(), Some("wasi:cli/run@1"));
        assert_eq!(track("wasi:cli/run@10.0.0").as_deref(), Some("wasi:cli/run@10"));
        for name in
            ["wasi:cli/run@0.0.1", "wasi:cli/run@0.2.0-rc-2023-11-10", "wasi:cli/run", "run", "run@1.0.0", "a:b/c@1"]
        {
            assert_eq!(track(name), None, "{name}");
        }
    }

    #[test]
    fn an_exact_name_comes_before_its_track() {
        let mut map = NameMap::new();
        for (at, version) in ["0.2.0", "0.2.12", "0.2.3", "0.3.0-rc1", "1.0.0", "1.5.0"].iter().enumerate() {
            assert_eq!(map.insert(&format!("a:b/c@{version}"), at), None);
        }
        let found = |version: &str| map.get(&format!("a:b/c@{version}")).copied();
        assert_eq!(
            [found("0.2.0"), found("0.2.3"), found("0.2.7"), found("0.2.99")],
            [Some(0), Some(2), Some(1), Some(1)]
        );
        assert_eq!(
            [found("0.2.0-rc1"), found("0.3.0"), found("0.3.0-rc1"), found("0.1.0")],
            [None, None, Some(3), None]
        );
        assert_eq!([found("1.0.0"), found("1.2.0"), found("2.0.0")], [Some(4), Some(5), None]);
        assert_eq!(map.find("a:b/c@1.2.0"), Some(("a:b/c@1.5.0", &5)));
        assert_eq!(map.get("a:b/d@1.2.0"), None);
        assert_eq!(map.get("a:b/c"), None);
        assert_eq!(map.other_version("a:b/c@3.0.0"), Some("a:b/c@1.5.0"));
        assert_eq!(map.insert("a:b/c@1.5.0", 9), Some(5));
        assert_eq!(map.get("a:b/c@1.2.0"), Some(&9));
    }

    #[test]
    fn functions_of_resources() {
        assert_eq!(FuncName::parse("f"), FuncName::Plain("f"));
        assert_eq!(FuncName::parse("[constructor]r"), FuncName::Constructor("r"));
        assert_eq!(FuncName::parse("[method]r.m-n"), FuncName::Method("r", "m-n"));
        assert_eq!(FuncName::parse("[static]r.s"), FuncName::Static("r", "s"));
        assert_eq!(FuncName::parse("[method]r"), FuncName::Plain("[method]r"));
        assert_eq!(FuncName::parse("[static]r.s").resource(), Some("r"));
    }
}
