//! One suite over both ways to call: what holds in one process holds over gRPC, byte for byte.

#[cfg(test)]
mod answers;
#[cfg(test)]
mod cancellation;
#[cfg(test)]
mod connections;
#[cfg(test)]
mod deadlines;
#[cfg(test)]
mod echo;
#[cfg(test)]
mod errors;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod metadata;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod served;
#[cfg(test)]
mod sizes;
#[cfg(test)]
mod strangers;
#[cfg(test)]
mod tls;
