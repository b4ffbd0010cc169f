// A small team of threads that stay alive between calls. Host code, C++ standard library only.
//
// run(n, task) calls task(0) .. task(n - 1), one per thread, the caller being thread 0. Tasks must not throw. A team
// that was inherited through fork() has lost its threads: it notices and starts new ones.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#if defined(__unix__) || defined(__APPLE__)
#include <unistd.h>
#endif

namespace lacemaker {

class Team {
public:
    Team() = default;
    Team(const Team&) = delete;
    Team& operator=(const Team&) = delete;
    ~Team() { stop(); }

    void run(int n, const std::function<void(int)>& task) {
        if (n <= 1) {
            if (n == 1) task(0);
            return;
        }
        grow(n - 1);
        {
            std::lock_guard<std::mutex> lock(state_->mutex);
            state_->task = &task;
            state_->wanted = n - 1;
            state_->left = n - 1;
            ++state_->round;
        }
        state_->begin.notify_all();
        task(0);
        std::unique_lock<std::mutex> lock(state_->mutex);
        state_->end.wait(lock, [&] { return state_->left == 0; });
    }

private:
    struct State {
        std::mutex mutex;
        std::condition_variable begin, end;
        const std::function<void(int)>* task = nullptr;
        int wanted = 0, left = 0;
        unsigned long round = 0;
        bool stop = false;
        std::vector<std::thread> workers;
    };

    static long process_id() {
#if defined(__unix__) || defined(__APPLE__)
        return long(getpid());
#else
        return 0;
#endif
    }

    void grow(int n_workers) {
        if (state_ && process_ != process_id()) state_.release();  // threads of the parent: not ours to join
        if (!state_) {
            state_ = std::make_unique<State>();
            process_ = process_id();
        }
        while (int(state_->workers.size()) < n_workers) {
            const int rank = int(state_->workers.size()) + 1;
            state_->workers.emplace_back(
                [state = state_.get(), rank, round = state_->round] { work(*state, rank, round); });
        }
    }

    static void work(State& s, int rank, unsigned long round) {
        while (true) {
            const std::function<void(int)>* task;
            {
                std::unique_lock<std::mutex> lock(s.mutex);
                s.begin.wait(lock, [&] { return s.stop || s.round != round; });
                if (s.stop) return;
                round = s.round;
                if (rank > s.wanted) continue;
                task = s.task;
            }
            (*task)(rank);
            std::lock_guard<std::mutex> lock(s.mutex);
            if (--s.left == 0) s.end.notify_one();
        }
    }

    void stop() {
        if (!state_) return;
        if (process_ != process_id()) {
            state_.release();
            return;
        }
        {
            std::lock_guard<std::mutex> lock(state_->mutex);
            state_->stop = true;
        }
        state_->begin.notify_all();
        for (std::thread& worker : state_->workers) worker.join();
    }

    std::unique_ptr<State> state_;
    long process_ = 0;
};

}  // namespace lacemaker
