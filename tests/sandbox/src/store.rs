//! The courses as SQL has them: the sandbox opens the database file itself, read-only, rather than asking a process.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use sqlx::Row;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};

use crate::check::CourseRow;

#[derive(Debug, Clone)]
pub struct Store {
    pool: SqlitePool,
}

impl Store {
    pub async fn open(file: &Path) -> Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .read_only(true)
            .busy_timeout(Duration::from_secs(5));
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(options)
            .await;
        let pool = pool.with_context(|| format!("cannot read {}", file.display()))?;
        Ok(Self { pool })
    }

    pub async fn count(&self) -> Result<usize> {
        let row = sqlx::query("SELECT COUNT(*) FROM courses")
            .fetch_one(&self.pool)
            .await;
        let count: i64 = row.context("cannot count the courses")?.try_get(0)?;
        Ok(usize::try_from(count).unwrap_or(0))
    }

    pub async fn courses(&self) -> Result<Vec<CourseRow>> {
        let rows = sqlx::query(
            "SELECT id, member, title, description, category, tags FROM courses ORDER BY submitted, id",
        );
        let rows = rows
            .fetch_all(&self.pool)
            .await
            .context("cannot read the courses")?;
        let mut courses = Vec::with_capacity(rows.len());
        for row in rows {
            let id: String = row.try_get("id")?;
            let member: String = row.try_get("member")?;
            let tags: String = row.try_get("tags")?;
            courses.push(CourseRow {
                member: member
                    .trim_start_matches('m')
                    .parse()
                    .context("a course's member")?,
                title: row.try_get("title")?,
                description: row.try_get("description")?,
                category: row.try_get("category")?,
                tags: serde_json::from_str(&tags).context("a course's tags")?,
                files: self.files(&id).await?,
            });
        }
        Ok(courses)
    }

    async fn files(&self, course: &str) -> Result<Vec<String>> {
        let rows = sqlx::query("SELECT name FROM course_files WHERE course = $1 ORDER BY position")
            .bind(course);
        let rows = rows
            .fetch_all(&self.pool)
            .await
            .context("cannot read a course's files")?;
        rows.iter().map(|row| Ok(row.try_get("name")?)).collect()
    }
}
