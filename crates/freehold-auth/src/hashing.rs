//! Passwords hashed, a few at a time: Argon2id, off the threads that answer requests.
//!
//! Each place has its memory and keeps it. Blocks of 19 MiB that are allocated and freed on many threads stay in the allocator's
//! arenas: hundreds of MiB after a few dozen log-ins at once.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use argon2::password_hash::{Output, ParamsString, PasswordHash, PasswordVerifier, Salt, SaltString};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::{Error, Result};
use crate::password::Password;
use crate::plant;
use crate::secret;

/// OWASP's minimum for Argon2id: 19 MiB, 2 passes, 1 lane.
const MEMORY_KIB: u32 = 19 * 1024;
/// Of which so many.
const PASSES: u32 = 2;
/// On so many threads.
const LANES: u32 = 1;

/// Bytes of a salt; each hash has its own.
const SALT_BYTES: usize = 16;

/// Requests that wait for a place; one more is answered 503. A hundred wait about two seconds on four places.
const WAITING_MAX: usize = 100;

/// The longest wait for a place.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// What an unknown account's password is compared with, so that it takes as long: a hash of random bytes.
static NOBODY: LazyLock<Option<String>> = LazyLock::new(|| {
    let bytes: [u8; secret::BYTES] = secret::random().ok()?;
    hash(&bytes, &mut Memory::default()).ok()
});

/// What one hash needs, taken from the system when it is first used.
#[derive(Default)]
struct Memory(Vec<Block>);

/// The places where passwords are hashed. Their memory is all that hashing takes: places × 19 MiB.
pub(crate) struct Hashing {
    places: Arc<Semaphore>,
    queue: Arc<Semaphore>,
    /// Of the places that are free.
    memory: Arc<Mutex<Vec<Memory>>>,
}

/// A place in the queue.
pub(crate) struct Queued<'h> {
    hashing: &'h Hashing,
    _queued: OwnedSemaphorePermit,
}

/// What a comparison came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Compared {
    /// Another password, or nobody's.
    Differs,
    /// It is the password.
    Equal,
    /// It is, and its hash was made with other parameters than today's: this is the new one.
    Rehashed(String),
}

impl Hashing {
    pub(crate) fn new(places: usize) -> Self {
        // Made now, so that the first unknown account does not wait for it.
        LazyLock::force(&NOBODY);
        let places = if plant::is("hashing-not-bounded") {
            6 * places
        } else {
            places
        };
        Self {
            places: Arc::new(Semaphore::new(places)),
            queue: Arc::new(Semaphore::new(places + WAITING_MAX)),
            memory: Arc::default(),
        }
    }

    /// Takes a place in the queue before anything is spent on the request.
    ///
    /// # Errors
    /// [`Error::Busy`] when the queue is full.
    pub(crate) fn queue(&self) -> Result<Queued<'_>> {
        let queued = Arc::clone(&self.queue).try_acquire_owned().map_err(|_| Error::Busy)?;
        Ok(Queued {
            hashing: self,
            _queued: queued,
        })
    }
}

impl Queued<'_> {
    /// Hashes a new password.
    ///
    /// # Errors
    /// [`Error::Busy`] when no place came free in time; [`Error::Hash`], [`Error::Random`].
    pub(crate) async fn hash(self, password: &Password) -> Result<String> {
        let password = password.clone();
        self.place(move |memory| hash(password.bytes().unwrap_or_default(), memory))
            .await
    }

    /// Compares a password with an account's hash; with nobody's if there is no account, and just as long.
    ///
    /// # Errors
    /// As [`Queued::hash`].
    pub(crate) async fn compare(self, password: &Password, stored: Option<String>) -> Result<Compared> {
        if stored.is_none() && plant::is("no-dummy-hash") {
            return Ok(Compared::Differs);
        }
        let password = password.clone();
        self.place(move |memory| compare(password.bytes(), stored.as_deref(), memory))
            .await
    }

    /// Runs it in a place. The place is free when it is done, not when whoever waits for it has gone.
    async fn place<T: Send + 'static>(self, work: impl FnOnce(&mut Memory) -> Result<T> + Send + 'static) -> Result<T> {
        let place = Arc::clone(&self.hashing.places).acquire_owned();
        let place = tokio::time::timeout(WAIT_MAX, place).await;
        let Ok(Ok(place)) = place else {
            return Err(Error::Busy);
        };
        let free = Arc::clone(&self.hashing.memory);
        let done = tokio::task::spawn_blocking(move || {
            let taken = free.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut memory = taken.unwrap_or_default();
            let done = work(&mut memory);
            free.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
            drop(place);
            done
        });
        done.await.map_err(freehold::Error::other)?
    }
}

impl Memory {
    fn digest(&mut self, password: &[u8], salt: Salt<'_>) -> Result<Output> {
        let (argon2, mut bytes) = (argon2()?, [0; Salt::MAX_LENGTH]);
        let salt = salt.decode_b64(&mut bytes).map_err(Error::Hash)?;
        let blocks = argon2.params().block_count();
        if self.0.len() < blocks {
            self.0.resize(blocks, Block::default());
        }
        let mut digest = [0; Params::DEFAULT_OUTPUT_LEN];
        argon2
            .hash_password_into_with_memory(password, salt, &mut digest, &mut self.0[..])
            .map_err(|error| Error::Hash(error.into()))?;
        Output::new(&digest).map_err(Error::Hash)
    }
}

fn argon2() -> Result<Argon2<'static>> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|error| Error::Hash(error.into()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash(password: &[u8], memory: &mut Memory) -> Result<String> {
    let salt: [u8; SALT_BYTES] = secret::random()?;
    let salt = SaltString::encode_b64(&salt).map_err(Error::Hash)?;
    let made = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(argon2()?.params()).map_err(Error::Hash)?,
        salt: Some(salt.as_salt()),
        hash: Some(memory.digest(password, salt.as_salt())?),
    };
    Ok(made.to_string())
}

/// A password that nobody can have is compared with nobody's hash, so that it takes as long too.
fn compare(password: Option<&[u8]>, stored: Option<&str>, memory: &mut Memory) -> Result<Compared> {
    let against = match (password, stored) {
        (Some(_), Some(stored)) => stored,
        _ => NOBODY.as_deref().unwrap_or_default(),
    };
    let against = PasswordHash::new(against).map_err(Error::Hash)?;
    let given = password.unwrap_or_default();
    let equal = match against.salt {
        // Outputs are compared in constant time.
        Some(salt) if is_of_today(&against) => Some(memory.digest(given, salt)?) == against.hash,
        _ => match argon2()?.verify_password(given, &against) {
            Ok(()) => true,
            Err(argon2::password_hash::Error::Password) => false,
            Err(error) => return Err(Error::Hash(error)),
        },
    };
    match (equal, password, stored) {
        (true, Some(password), Some(_)) if !is_of_today(&against) => Ok(Compared::Rehashed(hash(password, memory)?)),
        (true, Some(_), Some(_)) => Ok(Compared::Equal),
        _ => Ok(Compared::Differs),
    }
}

fn is_of_today(stored: &PasswordHash<'_>) -> bool {
    let params = Params::try_from(stored);
    stored.algorithm == Algorithm::Argon2id.ident()
        && stored.version == Some(Version::V0x13.into())
        && params.is_ok_and(|p| (p.m_cost(), p.t_cost(), p.p_cost()) == (MEMORY_KIB, PASSES, LANES))
}

#[cfg(test)]
mod tests {
    use super::*;
    use argon2::password_hash::PasswordHasher;

    #[test]
    fn a_hash_names_its_parameters_and_has_a_salt_of_its_own() {
        let [one, other] = [
            hash(b"a password", &mut Memory::default()).expect("a hash"),
            hash(b"a password", &mut Memory::default()).expect("a hash"),
        ];
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
        assert_ne!(one, other);
    }

    #[test]
    fn a_hash_is_what_the_library_makes_of_the_same_salt() {
        let stored = hash(b"a password", &mut Memory::default()).expect("a hash");
        let read = PasswordHash::new(&stored).expect("a PHC string");
        let salt = read.salt.expect("a salt");
        let theirs = argon2()
            .expect("parameters")
            .hash_password(b"a password", salt)
            .expect("a hash");
        assert_eq!(theirs.to_string(), stored);
    }

    #[test]
    fn only_the_password_is_equal() {
        let stored = hash(b"a password", &mut Memory::default()).expect("a hash");
        let compared = |given: Option<&[u8]>, stored: Option<&str>| {
            compare(given, stored, &mut Memory::default()).expect("a comparison")
        };
        assert_eq!(compared(Some(b"a password"), Some(&stored)), Compared::Equal);
        assert_eq!(compared(Some(b"b password"), Some(&stored)), Compared::Differs);
        assert_eq!(compared(Some(b""), Some(&stored)), Compared::Differs);
        assert_eq!(compared(None, Some(&stored)), Compared::Differs);
        assert_eq!(compared(Some(b"a password"), None), Compared::Differs);
    }

    #[test]
    fn a_hash_of_other_parameters_is_made_anew() {
        let params = Params::new(8 * 1024, 1, 1, None).expect("parameters");
        let weak = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let salt = SaltString::encode_b64(&[7; SALT_BYTES]).expect("a salt");
        let stored = weak.hash_password(b"a password", &salt).expect("a hash").to_string();
        let Compared::Rehashed(anew) =
            compare(Some(b"a password"), Some(&stored), &mut Memory::default()).expect("a comparison")
        else {
            panic!("it was not made anew")
        };
        assert_eq!(
            compare(Some(b"a password"), Some(&anew), &mut Memory::default()).expect("a comparison"),
            Compared::Equal
        );
    }
}
