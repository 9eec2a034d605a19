//! The macro that makes a closed enum of texts: each with its key in the file and its placeholders, so that a missing value does not
//! compile and a missing key does not parse.

macro_rules! lines {
    ($($name:ident = $key:literal { $($hole:ident),* })*) => {
        pub(crate) enum Line<'a> {
            $($name { $($hole: &'a dyn ::std::fmt::Display),* },)*
        }

        /// Key and placeholders of each text.
        pub(crate) const KEYS: &[(&str, &[&str])] = &[$(($key, &[$(stringify!($hole)),*])),*];

        #[derive(Clone, Copy)]
        enum Place { $($name),* }

        impl Line<'_> {
            /// The key's place in `KEYS`, and the values in the order of its placeholders.
            pub(crate) fn parts(&self) -> (usize, Vec<&dyn ::std::fmt::Display>) {
                match self {
                    $(Self::$name { $($hole),* } => (Place::$name as usize, vec![$(*$hole),*]),)*
                }
            }
        }
    };
}
