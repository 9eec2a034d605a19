//! Who runs: tasks in scopes, scopes in processes.
//!
//! A process that is killed never runs again; one that is stopped (SIGSTOP) keeps its place and finds, once it goes on, everything that came
//! meanwhile. A scope that is ended takes its tasks with it, as dropping a task does in the product. Invariant: nothing of a scope that has
//! ended, or of a process that is dead or stopped, is ever polled.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

pub type Work = Pin<Box<dyn Future<Output = ()>>>;

/// A running program: a worker's, a supervisor's.
#[derive(Debug)]
pub struct Proc {
    /// Its host: what is cut off is cut off by host.
    pub host: usize,
    pub dead: Cell<bool>,
    pub stopped: Cell<bool>,
}

#[derive(Debug)]
struct ScopeInner {
    proc: Rc<Proc>,
    parent: Option<Scope>,
    ended: Cell<bool>,
}

/// Tasks that end together.
#[derive(Debug, Clone)]
pub struct Scope(Rc<ScopeInner>);

impl Scope {
    pub fn of(proc: Rc<Proc>) -> Self {
        Self(Rc::new(ScopeInner {
            proc,
            parent: None,
            ended: Cell::new(false),
        }))
    }

    pub fn child(&self) -> Self {
        Self(Rc::new(ScopeInner {
            proc: Rc::clone(&self.0.proc),
            parent: Some(self.clone()),
            ended: Cell::new(false),
        }))
    }

    pub fn end(&self) {
        self.0.ended.set(true);
    }

    pub fn proc(&self) -> &Rc<Proc> {
        &self.0.proc
    }

    pub fn is_over(&self) -> bool {
        if self.0.proc.dead.get() {
            return true;
        }
        let mut at = Some(self);
        while let Some(scope) = at {
            if scope.0.ended.get() {
                return true;
            }
            at = scope.0.parent.as_ref();
        }
        false
    }
}

type Ready = Arc<Mutex<Vec<usize>>>;

struct TaskWaker {
    id: usize,
    ready: Ready,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ready
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(self.id);
    }
}

struct Task {
    work: Work,
    scope: Scope,
    waker: Waker,
}

/// All tasks of a world.
#[derive(Default)]
pub struct Tasks {
    all: RefCell<Vec<Option<Task>>>,
    free: RefCell<Vec<usize>>,
    ready: Ready,
    /// Ready tasks of stopped processes.
    frozen: RefCell<Vec<usize>>,
}

impl Tasks {
    pub fn spawn(&self, scope: &Scope, work: impl Future<Output = ()> + 'static) {
        if scope.is_over() {
            return;
        }
        let id = self.free.borrow_mut().pop().unwrap_or_else(|| {
            let mut all = self.all.borrow_mut();
            all.push(None);
            all.len() - 1
        });
        let waker = Arc::new(TaskWaker {
            id,
            ready: Arc::clone(&self.ready),
        });
        waker.wake_by_ref();
        let task = Task {
            work: Box::pin(work),
            scope: scope.clone(),
            waker: Waker::from(waker),
        };
        self.all.borrow_mut()[id] = Some(task);
    }

    /// Somebody goes on who was stopped.
    pub fn thaw(&self) {
        let frozen = std::mem::take(&mut *self.frozen.borrow_mut());
        self.lock().extend(frozen);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<usize>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Polls until nobody is ready.
    pub fn run_ready(&self) {
        let mut batch = Vec::new();
        loop {
            std::mem::swap(&mut batch, &mut *self.lock());
            if batch.is_empty() {
                return;
            }
            for id in batch.drain(..) {
                self.poll(id);
            }
        }
    }

    fn poll(&self, id: usize) {
        // Out of its place while it runs: it may spawn others.
        let Some(mut task) = self.all.borrow_mut()[id].take() else {
            return;
        };
        if task.scope.is_over() {
            self.free.borrow_mut().push(id);
            return;
        }
        if task.scope.proc().stopped.get() {
            self.all.borrow_mut()[id] = Some(task);
            self.frozen.borrow_mut().push(id);
            return;
        }
        let waker = task.waker.clone();
        let polled = task.work.as_mut().poll(&mut Context::from_waker(&waker));
        match polled {
            Poll::Ready(()) => self.free.borrow_mut().push(id),
            Poll::Pending => self.all.borrow_mut()[id] = Some(task),
        }
    }

    /// Breaks the circles between tasks and their world.
    pub fn clear(&self) {
        let all = std::mem::take(&mut *self.all.borrow_mut());
        drop(all);
    }
}
