//! deputy-aws
