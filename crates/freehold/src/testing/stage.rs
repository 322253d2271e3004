//! Services side by side in one process, each over its own database, moved on by hand: nothing runs in the background, no
//! socket is opened, and time passes only when the stage lets it.

use std::future::Future;

use futures_util::future::BoxFuture;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, NoTls, Row};

use super::post::Post;
use super::{reset, scene};
use crate::app::App;
use crate::error::{Error, Result};
use crate::pg::place;
use crate::saga::Saga;
use crate::saga::engine::State;
use crate::service::Service;

/// Moves until everything must have come to rest: many times what a saga of a dozen steps takes.
const MOVES_MAX: usize = 3_000;

/// The longest wait for the server to end the transaction of a process that died.
const ENDED_WITHIN: std::time::Duration = std::time::Duration::from_secs(10);

/// A service on the stage.
pub struct Member {
    pub(super) app: App,
    schema: String,
    pub(super) admin: Client,
}

impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Member").field(&self.app).finish()
    }
}

impl Member {
    /// A service with everything it registers. Its settings name its database, which is migrated and installed; `admin` logs
    /// into the same one as a superuser, to put rows there and to put everything back.
    ///
    /// # Errors
    /// What [`Service::run`] says at its start; [`Error::Postgres`] when `admin` cannot log in.
    pub async fn new(service: Service, admin: &Config) -> Result<Self> {
        let (app, schema) = service.staged().await?;
        let (admin, connection) = admin.connect(NoTls).await?;
        tokio::spawn(connection);
        Ok(Self { app, schema, admin })
    }

    pub(super) fn name(&self) -> &str {
        &self.app.service().name
    }

    /// Asks the library's tables, as the superuser.
    pub(super) async fn ask(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        Ok(self.admin.query(&*place(sql, self.app.freehold()), parameters).await?)
    }

    /// Sequences what was written, and tells the log's head.
    async fn sequenced(&self) -> Result<i64> {
        let sql = "select case when exists (select from freehold.outbox) then freehold.sequence(10000) else 0 end,
                          (select h.position from freehold.log_head h)";
        let client = self.app.pool().get().await?;
        let sequence = client.prepare_cached(&place(sql, self.app.freehold())).await?;
        let row = client.query_one(&sequence, &[]).await?;
        // The head was read by a snapshot from before the batch.
        Ok(i64::from(row.get::<_, i32>(0)) + row.get::<_, i64>(1))
    }

    /// Waits until the server has ended what a dead process left open.
    async fn forgotten(&self) -> Result<()> {
        let begun = tokio::time::Instant::now();
        let sql = "select count(*) from pg_stat_activity
                   where datname = current_database() and pid <> pg_backend_pid()
                     and xact_start is not null and backend_type = 'client backend'";
        while begun.elapsed() < ENDED_WITHIN {
            if self.admin.query_one(sql, &[]).await?.get::<_, i64>(0) == 0 {
                return Ok(());
            }
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        Err(Error::other(format!(
            "a transaction of {} is still open after {ENDED_WITHIN:?}",
            self.name()
        )))
    }
}

type Outside = Box<dyn Fn(App) -> BoxFuture<'static, Result<bool>> + Send + Sync>;

/// The services of a system; see [`testing`](super).
pub struct Stage {
    pub(super) members: Vec<Member>,
    pub(super) post: Vec<Post>,
    outside: Vec<(usize, Outside)>,
    restored: Vec<Box<dyn Fn() + Send + Sync>>,
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stage")
            .field("members", &self.members)
            .finish_non_exhaustive()
    }
}

/// What a look at a service's waiting work shows.
struct Look {
    calls: bool,
    timers: bool,
    keys: bool,
    /// Seconds until the next of them.
    next: Option<f64>,
}

impl Stage {
    /// Puts services side by side. Every service whose messages another one hears must be among them.
    ///
    /// # Errors
    /// [`Error::Behaviour`] when one is missing; [`Error::Postgres`].
    pub async fn open(members: Vec<Member>) -> Result<Self> {
        let post = Post::between(&members).await?;
        Ok(Self {
            members,
            post,
            outside: Vec::new(),
            restored: Vec::new(),
        })
    }

    /// Runs `f` each time the databases were put back: what stands for a third party forgets what it was told.
    #[must_use]
    pub fn on_restore(mut self, f: impl Fn() + Send + Sync + 'static) -> Self {
        self.restored.push(Box::new(f));
        self
    }

    /// Runs `f` in each round with the service's [`App`]: what a third party would bring by another way, for example the
    /// answer of a [pending](crate::Called::Pending) call. It says whether it did anything.
    ///
    /// # Errors
    /// [`Error::Other`] when no service of that name is there.
    pub fn outside<Fut>(mut self, service: &str, f: impl Fn(App) -> Fut + Send + Sync + 'static) -> Result<Self>
    where
        Fut: Future<Output = Result<bool>> + Send + 'static,
    {
        let member = self.index(service)?;
        self.outside.push((member, Box::new(move |app| Box::pin(f(app)))));
        Ok(self)
    }

    /// The service as its own code sees it.
    ///
    /// # Errors
    /// [`Error::Other`] when no service of that name is there.
    pub fn app(&self, service: &str) -> Result<&App> {
        Ok(&self.member(service)?.app)
    }

    /// Runs statements in a service's database, as a superuser.
    ///
    /// # Errors
    /// [`Error::Postgres`]; [`Error::Other`] when no service of that name is there.
    pub async fn sql(&self, service: &str, statements: &str) -> Result<()> {
        Ok(self.member(service)?.admin.batch_execute(statements).await?)
    }

    /// The one number that a query of a service's database gives.
    ///
    /// # Errors
    /// As [`Stage::sql`].
    pub async fn number(&self, service: &str, query: &str) -> Result<i64> {
        let row = self
            .member(service)?
            .admin
            .query_one(&format!("select ({query})::bigint"), &[])
            .await?;
        Ok(row.try_get(0)?)
    }

    /// A complaint for the judge if a query of a service's database gives another number than it should.
    ///
    /// # Errors
    /// As [`Stage::sql`].
    pub async fn unequal(&self, service: &str, query: &str, wanted: i64) -> Result<Vec<String>> {
        let number = self.number(service, query).await?;
        Ok(match number == wanted {
            true => Vec::new(),
            false => vec![format!("{service}: {query} gives {number}, not {wanted}")],
        })
    }

    /// Starts a saga and lets everything come to rest: for what has to have happened before the saga that is tested.
    ///
    /// # Errors
    /// What its first local steps say; [`Error::Other`] when it does not come to rest.
    pub async fn run<S: Saga>(&self, saga: S) -> Result<State> {
        let member = self.orchestrator::<S>()?;
        let mut tx = member.app.begin_as_service().await?;
        let started = tx.start(saga).await?;
        tx.commit().await?;
        self.settle().await?;
        let rows = member
            .ask("select s.state from freehold.saga s where s.id = $1", &[&started.id])
            .await?;
        let state = rows.first().and_then(|row| State::of(row.get(0)));
        state.ok_or_else(|| Error::other("the saga is gone"))
    }

    /// Carries every message and lets time pass until nothing waits any more.
    ///
    /// # Errors
    /// [`Error::Other`] when it does not come to rest; what the services say.
    pub async fn settle(&self) -> Result<()> {
        for _ in 0..MOVES_MAX {
            if !self.round().await? && !self.let_time_pass().await? {
                return Ok(());
            }
        }
        Err(Error::other(format!(
            "it does not come to rest within {MOVES_MAX} moves"
        )))
    }

    /// Remembers every row of every service, for [`Stage::restore`].
    pub(super) async fn save(&self) -> Result<()> {
        for member in &self.members {
            reset::save(&member.admin, &[&member.schema, member.app.freehold()]).await?;
        }
        Ok(())
    }

    /// Puts everything back as it was saved.
    pub(super) async fn restore(&self) -> Result<()> {
        for member in &self.members {
            reset::restore(&member.admin).await?;
        }
        for post in &self.post {
            post.forget();
        }
        for f in &self.restored {
            f();
        }
        Ok(())
    }

    /// Everything that can be done at this moment, once; says whether there was anything.
    pub(super) async fn round(&self) -> Result<bool> {
        let mut heads = Vec::new();
        for member in &self.members {
            heads.push(member.sequenced().await?);
        }
        let mut moved = false;
        for post in &self.post {
            moved |= post.carry(self, heads[post.from]).await?;
        }
        // What was said comes before what is due.
        if moved {
            return Ok(true);
        }
        for member in &self.members {
            let look = self.look(member).await?;
            if look.calls {
                moved |= self.calls(member).await?;
            }
            if look.timers {
                moved |= self.timers(member).await?;
            }
            if look.keys {
                let redriven = self.alive(member, crate::parked::redrive(&member.app)).await?;
                moved |= redriven.unwrap_or(true);
            }
        }
        for (member, outside) in &self.outside {
            let member = &self.members[*member];
            let did = self.alive(member, outside(member.app.clone())).await?;
            moved |= did.unwrap_or(true);
        }
        Ok(moved)
    }

    async fn calls(&self, member: &Member) -> Result<bool> {
        let claimed = self.alive(member, crate::due::claim(&member.app, 64)).await?;
        for call in claimed.unwrap_or_default() {
            let twice =
                scene::current().is_some_and(|s| s.mail(&call.step, call.direction, scene::Mail::AnsweredTwice));
            for again in [false, true] {
                if !again || twice {
                    let made = crate::due::make(member.app.clone(), call.clone());
                    self.alive(member, async {
                        made.await;
                        Ok(())
                    })
                    .await?;
                }
            }
        }
        Ok(true)
    }

    async fn timers(&self, member: &Member) -> Result<bool> {
        let sql = "select d.step, d.direction from freehold.due d
                   where d.due_at <= clock_timestamp() and d.kind = 'timeout'";
        let over = member.ask(sql, &[]).await?;
        let done = self.alive(member, crate::due::deliver(&member.app)).await?;
        if let (Some(scene), Some(_)) = (scene::current(), done) {
            for row in &over {
                let direction = crate::saga::engine::Direction::of(row.get(1));
                if let Some(direction) = direction {
                    // The time for its answer is over: the command may come now.
                    scene.mail(row.get(0), direction, scene::Mail::Held);
                }
            }
        }
        Ok(done.unwrap_or(true))
    }

    async fn look(&self, member: &Member) -> Result<Look> {
        let sql = "select coalesce(bool_or(w.at <= clock_timestamp() and w.kind = 'call'), false),
                          coalesce(bool_or(w.at <= clock_timestamp() and w.kind not in ('call', 'key')), false),
                          coalesce(bool_or(w.at <= clock_timestamp() and w.kind = 'key'), false),
                          extract(epoch from min(w.at) - clock_timestamp())::float8
                   from (
                     select d.due_at, d.kind from freehold.due d
                     union all
                     select p.next_at, 'key' from freehold.parked_key p where p.state = 'retrying'
                   ) as w(at, kind)";
        let client = member.app.pool().get().await?;
        let look = client.prepare_cached(&place(sql, member.app.freehold())).await?;
        let row = client.query_one(&look, &[]).await?;
        Ok(Look {
            calls: row.get(0),
            timers: row.get(1),
            keys: row.get(2),
            next: row.get(3),
        })
    }

    /// Lets time pass until the next thing is due, at every service; false if nothing will be.
    pub(super) async fn let_time_pass(&self) -> Result<bool> {
        let mut next: Option<f64> = None;
        for member in &self.members {
            let here = self.look(member).await?.next;
            next = match (next, here) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
        }
        let Some(seconds) = next else {
            return Ok(false);
        };
        let seconds = seconds.max(0.0);
        for member in &self.members {
            let sql = format!(
                "update freehold.due set due_at = due_at - {seconds} * interval '1 s';
                 update freehold.parked_key set next_at = next_at - {seconds} * interval '1 s'"
            );
            member.admin.batch_execute(&place(&sql, member.app.freehold())).await?;
        }
        Ok(true)
    }

    /// Does a process's work unless it dies in it; none if it died or lost its connection, and has to begin anew.
    pub(super) async fn alive<T>(&self, member: &Member, work: impl Future<Output = Result<T>>) -> Result<Option<T>> {
        let Some(scene) = scene::current() else {
            return work.await.map(Some);
        };
        let ended = tokio::select! {
            biased;
            done = work => Some(done),
            () = scene.died() => None,
        };
        match ended {
            Some(Ok(done)) => Ok(Some(done)),
            Some(Err(error)) if !error.is_transient() => Err(error),
            Some(Err(_)) | None => {
                member.forgotten().await?;
                Ok(None)
            }
        }
    }

    pub(super) fn orchestrator<S: Saga>(&self) -> Result<&Member> {
        let found = self.members.iter().find(|m| m.app.saga(S::NAME).is_some());
        found.ok_or_else(|| Error::other(format!("no service on the stage runs saga {}", S::NAME)))
    }

    fn index(&self, service: &str) -> Result<usize> {
        let found = self.members.iter().position(|m| m.name() == service);
        found.ok_or_else(|| Error::other(format!("no service {service} is on the stage")))
    }

    fn member(&self, service: &str) -> Result<&Member> {
        Ok(&self.members[self.index(service)?])
    }
}
