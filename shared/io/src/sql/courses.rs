//! `courses` and `course_files`: what members have submitted.
//!
//! Invariant: a [`Record`] that is delivered twice is there once, whole, as it came first: its id follows from the update that
//! caused it, and the course and its files are one transaction.

use shared_core::{ConversationKey, EntryId, MemberId, MessageId, PoolId, Record, UnixMs};
use sqlx::any::AnyRow;
use sqlx::{Any, Transaction};

use super::StoreError;
use super::db::{Columns, Db, bigint, statement, storable, to_json};

/// A stored course.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Course {
    pub id: EntryId,
    pub pool: PoolId,
    pub member: MemberId,
    pub conversation: ConversationKey,
    pub title: String,
    pub description: String,
    pub category: String,
    pub tags: Vec<String>,
    /// (name, bytes, message id in the storage channel), in the member's order.
    pub files: Vec<(String, u64, MessageId)>,
    pub submitted: UnixMs,
}

#[derive(Clone, Copy)]
pub struct Courses<'a>(pub(super) &'a Db);

impl Courses<'_> {
    /// Stores a course; `false` when it was there already, or when the record is none.
    pub async fn record(&self, pool: &PoolId, record: &Record) -> Result<bool, StoreError> {
        const DOING: &str = "storing record";
        let Record::Course { id, files, .. } = record else {
            return Ok(false);
        };
        let mut sizes = Vec::with_capacity(files.len());
        for (_, bytes, _) in files {
            sizes.push(bigint(DOING, id, "a file's size", *bytes)?);
        }
        let store = async {
            // The first statement writes, so SQLite queues the transaction instead of turning it away later.
            let mut transaction = self.0.pool().begin().await?;
            if !insert_course(&mut transaction, pool, record).await? {
                transaction.rollback().await?;
                return Ok(false);
            }
            for (position, ((name, _, message), bytes)) in (0_i64..).zip(files.iter().zip(&sizes)) {
                statement(
                    "INSERT INTO course_files (course, position, name, bytes, message) VALUES ($1, $2, $3, $4, $5)",
                )
                .bind(id.to_string())
                .bind(position)
                .bind(&*storable(name))
                .bind(*bytes)
                .bind(i64::from(message.0))
                .execute(&mut *transaction)
                .await?;
            }
            transaction.commit().await?;
            Ok(true)
        };
        self.0.bounded(DOING, id, store).await
    }

    pub async fn get(&self, id: EntryId) -> Result<Option<Course>, StoreError> {
        let find = async {
            let row = statement("SELECT id, pool, member, conversation, title, description, category, tags, submitted \
                FROM courses WHERE id = $1")
                .bind(id.to_string())
                .fetch_optional(self.0.pool())
                .await?;
            match row {
                Some(row) => self.with_files(&row).await.map(Some),
                None => Ok(None),
            }
        };
        self.0.bounded("reading course", id, find).await
    }

    /// In the order of submission.
    pub async fn list(
        &self,
        pool: &PoolId,
        offset: u32,
        limit: u32,
    ) -> Result<Vec<Course>, StoreError> {
        let list = async {
            let rows = statement(
                "SELECT id, pool, member, conversation, title, description, category, tags, submitted \
                    FROM courses WHERE pool = $1 ORDER BY submitted, id LIMIT $2 OFFSET $3",
            )
            .bind(pool.as_str())
            .bind(i64::from(limit))
            .bind(i64::from(offset))
            .fetch_all(self.0.pool())
            .await?;
            let mut courses = Vec::with_capacity(rows.len());
            for row in &rows {
                courses.push(self.with_files(row).await?);
            }
            Ok(courses)
        };
        self.0
            .bounded("listing the courses of pool", pool, list)
            .await
    }

    pub async fn count(&self, pool: &PoolId) -> Result<u64, StoreError> {
        let count = async {
            let row = statement("SELECT COUNT(*) AS courses FROM courses WHERE pool = $1")
                .bind(pool.as_str())
                .fetch_one(self.0.pool())
                .await?;
            row.count("courses")
        };
        self.0
            .bounded("counting the courses of pool", pool, count)
            .await
    }

    async fn with_files(&self, row: &AnyRow) -> Result<Course, sqlx::Error> {
        let id: EntryId = row.id("id")?;
        let files = statement(
            "SELECT name, bytes, message FROM course_files WHERE course = $1 ORDER BY position",
        )
        .bind(id.to_string())
        .fetch_all(self.0.pool())
        .await?;
        let file = |file: &AnyRow| {
            let message = MessageId(file.count("message")?);
            Ok((file.text("name")?, file.count("bytes")?, message))
        };
        Ok(Course {
            id,
            pool: row.name("pool")?,
            member: row.id("member")?,
            conversation: row.id("conversation")?,
            title: row.text("title")?,
            description: row.text("description")?,
            category: row.text("category")?,
            tags: row.json("tags")?,
            files: files.iter().map(file).collect::<Result<_, sqlx::Error>>()?,
            submitted: row.time("submitted")?,
        })
    }
}

/// `false` when a course of this id is there.
async fn insert_course(
    transaction: &mut Transaction<'_, Any>,
    pool: &PoolId,
    record: &Record,
) -> Result<bool, sqlx::Error> {
    let Record::Course {
        id,
        member,
        conversation,
        title,
        description,
        category,
        tags,
        files: _,
        submitted,
    } = record
    else {
        return Ok(false);
    };
    let done = statement(
        "INSERT INTO courses (id, pool, member, conversation, title, description, category, tags, submitted) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO NOTHING",
    )
    .bind(id.to_string())
    .bind(pool.as_str())
    .bind(member.to_string())
    .bind(conversation.to_string())
    .bind(&*storable(title))
    .bind(&*storable(description))
    .bind(&*storable(category))
    .bind(to_json(tags)?)
    .bind(submitted.0)
    .execute(&mut **transaction)
    .await?;
    Ok(done.rows_affected() == 1)
}
