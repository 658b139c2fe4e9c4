//! Who does what when: a step begins when all it needs is there. What is known is found by one thread, without a second one; the first step
//! that must be done calls more.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;

use super::error::{BuildError, FailedStep, Place};
use super::report::CANCELED;
use super::solver::{Inputs, Looked, Made, Solver, StepError, Todo};
use crate::plan::graph::StepId;

/// What became of each step so far.
struct Board {
    made: Vec<Option<Made>>,
    /// What was found out of steps that wait to be done.
    todo: Vec<Option<Todo>>,
    /// How many inputs are missing.
    missing: Vec<usize>,
    ready: BTreeSet<StepId>,
    /// Steps that are not made.
    left: usize,
    failed: Option<BuildError>,
}

/// The board, with whoever waits before it.
struct Work<'a, 'b> {
    solver: &'a Solver<'b>,
    needed_by: Vec<Vec<StepId>>,
    board: Mutex<Board>,
    changed: Condvar,
    /// Commands and downloads may wait for others; what reads and writes files is done by as many as there are processors.
    busy: Mutex<usize>,
    idle: Condvar,
    processors: OnceLock<usize>,
}

/// Does all steps. What each made.
pub(crate) fn solve(solver: &Solver<'_>) -> Result<Vec<Made>, BuildError> {
    let steps = &solver.plan.steps;
    let (mut needed_by, mut missing) = (vec![Vec::new(); steps.len()], vec![0; steps.len()]);
    for (at, step) in steps.iter().enumerate() {
        for input in step.what.inputs() {
            needed_by[input.0].push(StepId(at));
            missing[at] += 1;
        }
    }
    let ready: BTreeSet<StepId> = (0..steps.len()).filter(|at| missing[*at] == 0).map(StepId).collect();
    let made = steps.iter().map(|_| None).collect();
    let todo = steps.iter().map(|_| None).collect();
    let board = Board { made, todo, missing, ready, left: steps.len(), failed: None };
    let work = Work {
        solver,
        needed_by,
        board: Mutex::new(board),
        changed: Condvar::new(),
        busy: Mutex::new(0),
        idle: Condvar::new(),
        processors: OnceLock::new(),
    };
    if work.find_known()? {
        thread::scope(|scope| {
            let threads = (work.processors() * 2).min(work.lock().left);
            for _ in 1..threads {
                scope.spawn(|| work.work());
            }
            work.work();
        });
    }
    let board = work.board.into_inner().unwrap_or_else(PoisonError::into_inner);
    match board.failed {
        Some(error) => Err(error),
        None => Ok(board.made.into_iter().flatten().collect()),
    }
}

impl Work<'_, '_> {
    fn lock(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes on as long as results are known. Whether something must be done.
    fn find_known(&self) -> Result<bool, BuildError> {
        loop {
            let Some((id, inputs)) = self.lock().take_ready(self.solver) else { return Ok(false) };
            match self.look(id, &inputs) {
                Ok(Looked::Made(made)) => self.put(id, made),
                Ok(Looked::Todo(todo)) => {
                    let mut board = self.lock();
                    board.todo[id.0] = Some(todo);
                    board.ready.insert(id);
                    return Ok(true);
                }
                Err(error) => return Err(self.told(id, error)),
            }
        }
    }

    /// What each thread does until nothing is left.
    fn work(&self) {
        loop {
            let mut board = self.lock();
            let (id, inputs, todo) = loop {
                if board.left == 0 || board.failed.is_some() {
                    return;
                }
                match board.take_ready(self.solver) {
                    Some((id, inputs)) => {
                        let todo = board.todo[id.0].take();
                        break (id, inputs, todo);
                    }
                    None => board = self.changed.wait(board).unwrap_or_else(PoisonError::into_inner),
                }
            };
            drop(board);
            match self.one(id, &inputs, todo) {
                Ok(made) => self.put(id, made),
                Err(error) => self.fail(id, error),
            }
            // Now that others go on: their files take milliseconds.
            self.solver.clear_ended();
        }
    }

    fn one(&self, id: StepId, inputs: &Inputs, todo: Option<Todo>) -> Result<Made, StepError> {
        if self.solver.is_cancelled() {
            return Err(StepError::new(CANCELED));
        }
        let looked = match todo {
            Some(todo) => Looked::Todo(todo),
            None => self.at_most(|| self.look(id, inputs))?,
        };
        match looked {
            Looked::Made(made) => Ok(made),
            Looked::Todo(todo @ (Todo::Run(_) | Todo::Fetch | Todo::Clone)) => self.solver.act(id, todo),
            Looked::Todo(todo @ (Todo::Copy(_) | Todo::Directory(..))) => self.at_most(|| self.solver.act(id, todo)),
        }
    }

    fn look(&self, id: StepId, inputs: &Inputs) -> Result<Looked, StepError> {
        let looked = self.solver.look(id, inputs);
        if let Err(error) = &looked
            && !self.solver.is_absent_needed()
        {
            self.solver.shown(id).failed(&error.message);
        }
        looked
    }

    /// Counted when it matters: it costs reading control groups.
    fn processors(&self) -> usize {
        *self.processors.get_or_init(|| thread::available_parallelism().map_or(1, std::num::NonZero::get))
    }

    /// As many at a time as there are processors.
    fn at_most<T>(&self, act: impl FnOnce() -> T) -> T {
        let lock = || self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        let mut busy = lock();
        while *busy >= self.processors() {
            busy = self.idle.wait(busy).unwrap_or_else(PoisonError::into_inner);
        }
        *busy += 1;
        drop(busy);
        let done = act();
        *lock() -= 1;
        self.idle.notify_one();
        done
    }

    fn put(&self, id: StepId, made: Made) {
        let mut board = self.lock();
        board.made[id.0] = Some(made);
        board.left -= 1;
        for next in &self.needed_by[id.0] {
            board.missing[next.0] -= 1;
            if board.missing[next.0] == 0 {
                board.ready.insert(*next);
            }
        }
        drop(board);
        self.changed.notify_all();
    }

    /// The first failure is the build's; others end because of it.
    fn fail(&self, id: StepId, error: StepError) {
        let told = self.told(id, error);
        self.lock().failed.get_or_insert(told);
        // What others are about will be used when all begins again.
        if !self.solver.is_absent_needed() {
            self.solver.cancelled.store(true, Ordering::Relaxed);
        }
        self.changed.notify_all();
    }

    fn told(&self, id: StepId, error: StepError) -> BuildError {
        let step = &self.solver.plan.steps[id.0];
        let spans: Vec<_> = step.span.into_iter().collect();
        BuildError::Failed(Box::new(FailedStep {
            message: error.message,
            step: step.name.clone(),
            output: error.output,
            place: Place::new(self.solver.source, &spans),
        }))
    }
}

impl Board {
    /// A step that can begin, with what it needs. The first in the file goes first.
    fn take_ready(&mut self, solver: &Solver<'_>) -> Option<(StepId, Inputs)> {
        let id = self.ready.pop_first()?;
        let inputs = solver.plan.steps[id.0].what.inputs();
        let inputs = inputs.into_iter().filter_map(|input| Some((input, self.made[input.0].clone()?)));
        Some((id, inputs.collect()))
    }
}
